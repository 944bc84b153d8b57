"""Whether a request that changes something came from a page of ours. Pure.

A foreign page can make a browser send a form here, and SameSite=Strict keeps the cookie from it.
This is the second lock, and the login form's only one: browsers say where a request comes from, and
no page can change that (Fetch Metadata; RFC 6454 for the older ones).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from services.errors import Forbidden


def demand_own_page(headers: Mapping[str, str]) -> None:
    """Let pass what a page of this very origin sent.

    `Sec-Fetch-Site` is the browser's own word. Browsers that do not send it, or do not over plain
    HTTP, send `Origin`; its host must be the one that was asked. Who sends neither is no browser.

    Raises:
        Forbidden.
    """
    site = headers.get("sec-fetch-site")
    if site is None:
        origin, host = headers.get("origin", ""), headers.get("host", "")
        own = bool(host) and urlsplit(origin).netloc == host
    else:
        own = site == "same-origin"
    if not own:
        raise Forbidden("This did not come from a page of the console.")

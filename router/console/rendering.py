"""Templates into answers: one environment, made when the first page is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from router.console import words

STATIC: Final = Path(__file__).parent / "static"
# No script and no style stands in a page, so none that was smuggled into one would run.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
EVENTS: Final = "text/event-stream"
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}


def page(template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """A whole page, or a part of one."""
    return HTMLResponse(text(template, values), status, headers=HEADERS)


def text(template: str, values: Mapping[str, Any]) -> str:
    """What the template makes of these values."""
    return _environment().get_template(template).render(values)


def event(name: str, html: str) -> bytes:
    """One server-sent event. Pure."""
    lines = "".join(f"data: {line}\n" for line in html.splitlines() or [""])
    return f"event: {name}\n{lines}\n".encode()


def last_event(template: str, values: Mapping[str, Any]) -> bytes:
    """What stays on a live page, and that nothing more will come."""
    return event("update", text(template, values)) + event("end", "")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("router.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(words.FILTERS)
    made.globals["mark"] = _mark()
    return made


def _mark() -> str:
    """Changes with the static files: browsers may keep each version for long."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]

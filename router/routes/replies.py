"""Headers that answers of several routes carry, and how the API description shows them."""

from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from router import headers
from router.answers import header
from router.call import Call
from services.committed import Committed
from services.errors import PreconditionRequired
from services.pages import Page
from services.tenant.documents import Document, Precondition
from services.tenant.tickets import Granted

T = TypeVar("T")

ETAG: Final = {"ETag": header("For If-Match and If-None-Match; changes with every change.", '"3"')}
LOCATION: Final = {"Location": header("The address of the new thing.", "/v1/…")}
CONSISTENCY_TOKEN: Final = {
    "Consistency-Token": header("Sent with a later read, makes it see this write.", "AZg…")
}
LINK: Final = {"Link": header("The next page, when there is one.", '</v1/…?cursor=…>; rel="next"')}

UNAVAILABLE: Final = ("busy", "outcome_unknown")
"""Refusals of every transaction."""


def etag(document: Document) -> str:
    """The strong ETag of a document: its row version."""
    return f'"{document.row_version}"'


def precondition(if_match: str | None) -> Precondition:
    """What If-Match demands of the document.

    Raises:
        PreconditionRequired, InvalidRequest.
    """
    if if_match is None:
        raise PreconditionRequired
    tags = headers.entity_tags("If-Match", if_match)
    return lambda document: tags.match_strongly(str(document.row_version))


def is_known(if_none_match: str | None, document: Document) -> bool:
    """Whether the caller has this state of the document already."""
    if if_none_match is None:
        return False
    tags = headers.entity_tags("If-None-Match", if_none_match)
    return tags.match_weakly(str(document.row_version))


def committed(call: Call, outcome: Committed[T]) -> T:
    """Give the value of a write, its Consistency-Token going into the answer."""
    call.context.answer_with("Consistency-Token", outcome.consistency_token)
    return outcome.value


def stored_document(call: Call, outcome: Committed[Document]) -> Document:
    """Give a written document, its ETag and Consistency-Token going into the answer."""
    document = committed(call, outcome)
    call.context.answer_with("ETag", etag(document))
    return document


def shown_upload(granted: Granted) -> dict[str, Any]:
    """What callers are told of an upload: its addresses, and nothing of our keys."""
    parts = [
        {
            "part_number": one.part.number,
            "first": one.part.first,
            "size": one.part.size,
            "method": one.request.method,
            "url": one.request.url,
            "headers": one.request.headers,
        }
        for one in granted.parts
    ]
    return {
        "upload_id": granted.ticket.upload_id,
        "expires_at": granted.ticket.expires_at,
        "upload": granted.upload,
        "parts": parts,
    }


def linked(call: Call, page: Page[T]) -> Page[T]:
    """Give the page, with a Link to the next one."""
    if page.next_cursor is not None:
        query = [(name, value) for name, value in call.query_params.multi_items()]
        others = [pair for pair in query if pair[0] != "cursor"]
        path = call.scope["raw_path"].decode("ascii", "replace")
        target = f"{path}?{urlencode([*others, ('cursor', page.next_cursor)])}"
        call.context.answer_with("Link", f'<{target}>; rel="next"')
    return page

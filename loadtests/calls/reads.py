"""Reading what is there."""

import re
from hashlib import sha256
from random import Random
from urllib.parse import urlencode

from loadtests.calls.desk import Desk, Reply

PAGE = 20
_LONG_WORD = re.compile(r"[A-Za-z]{8,}")


def get_document(desk: Desk) -> None:
    """One document."""
    document = desk.any_document()

    def judge(reply: Reply) -> str | None:
        return None if reply.json()["id"] == str(document.id) else "another document"

    desk.ask("get document", 200, "GET", f"documents/{document.id}", judge=judge)


def list_documents(desk: Desk) -> None:
    """One page."""
    desk.ask(
        "list documents", 200, "GET", f"documents?limit={PAGE}", judge=lambda r: _page(desk, r)
    )


def search_documents(desk: Desk) -> None:
    """By a long word of a name that is there, one letter missing, else by the whole name."""
    asked = mistyped(desk.any_document().name, desk.chance)

    def judge(reply: Reply) -> str | None:
        page = reply.json()
        found = page["items"] or page["next_cursor"]  # a page may be short, and not the last
        return _page(desk, reply) or (None if found else "found nothing")

    path = f"documents?{urlencode({'q': asked, 'limit': PAGE})}"
    desk.ask("search documents", 200, "GET", path, judge=judge)


def mistyped(name: str, chance: Random) -> str:
    """What docs/search.md promises to find the name by; short words have to be right."""
    words = _LONG_WORD.findall(name)
    if not words:
        return name
    word: str = chance.choice(words)
    lost = chance.randrange(2, len(word) - 1)
    return word[:lost] + word[lost + 1 :]


def list_audit_logs(desk: Desk) -> None:
    """One page of what was done, by a tenth of all calls that of one document."""
    only = f"&entity_id={desk.any_document().id}" if desk.chance.random() < 0.1 else ""
    desk.ask("list audit logs", 200, "GET", f"audit-logs?limit={PAGE}{only}", judge=_rows)


def get_content_through_the_router(desk: Desk) -> None:
    """The bytes, streamed."""
    document = desk.any_document()

    def judge(reply: Reply) -> str | None:
        return None if _same(reply, document.checksum) else "other bytes"

    path = f"documents/{document.id}/content?proxy=true"
    desk.ask("get content, proxied", 200, "GET", path, judge=judge)


def get_content_from_storage(desk: Desk) -> None:
    """The bytes from a presigned address, which must not see our key."""
    document = desk.any_document()
    reply = desk.ask("get content, address", 307, "GET", f"documents/{document.id}/content")
    if reply.right:
        desk.send(
            "get content, storage",
            200,
            "GET",
            reply.headers["location"],
            judge=lambda stored: None if _same(stored, document.checksum) else "other bytes",
        )


def _same(reply: Reply, checksum: str) -> bool:
    return sha256(reply.body).hexdigest() == checksum


def _page(desk: Desk, reply: Reply) -> str | None:
    items = reply.json()["items"]
    if len(items) > PAGE:
        return "a page too long"
    # I3: nobody sees another tenant's rows.
    foreign = any(item["client_id"] != str(desk.tenant.client_id) for item in items)
    return "I3: another tenant's document" if foreign else None


def _rows(reply: Reply) -> str | None:
    return None if len(reply.json()["items"]) <= PAGE else "a page too long"

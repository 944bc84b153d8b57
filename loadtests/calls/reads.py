"""Reading what is there."""

from hashlib import sha256
from urllib.parse import urlencode

from loadtests.calls.desk import Desk, Reply

PAGE = 20


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
    """By a name that is there, with one letter missing: the best match is found all the same."""
    name = desk.any_document().name
    cut = desk.chance.randrange(len(name)) if len(name) > 6 else len(name)
    asked = urlencode({"q": name[:cut] + name[cut + 1 :], "limit": PAGE})

    def judge(reply: Reply) -> str | None:
        return _page(desk, reply) or (None if reply.json()["items"] else "found nothing")

    desk.ask("search documents", 200, "GET", f"documents?{asked}", judge=judge)


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

"""Uploads straight to storage: asked for, sent to a presigned address, completed."""

from hashlib import sha256

from loadtests.calls.desk import Desk
from loadtests.calls.own import Own
from loadtests.calls.writes import create, note_version

CONTENT = b"A line of a file that goes straight to storage.\n" * 1_000


def upload(desk: Desk) -> None:
    """A version of a document, its bytes past the router."""
    own = desk.books.take(desk.caller.tenant) or create(desk)
    if own is None:
        return
    _upload(desk, own, CONTENT[desk.chance.randrange(len(CONTENT)) :])
    desk.books.give_back(desk.caller.tenant, own)


def _upload(desk: Desk, own: Own, content: bytes) -> None:
    path = f"documents/{own.document_id}/uploads"
    asked = desk.ask(
        "ask for an upload",
        201,
        "POST",
        path,
        json={
            "size": len(content),
            "checksum_sha256": sha256(content).hexdigest(),
            "mime_type": "text/plain",
        },
    )
    if not asked.right:
        return
    to_storage = asked.json()["upload"]
    stored = desk.send(
        "send to storage",
        200,
        to_storage["method"],
        to_storage["url"],
        judge=None,
        headers=to_storage["headers"],
        data=content,
    )
    if not stored.right:
        return
    upload_id = asked.json()["upload_id"]
    reply = desk.ask("complete upload", 201, "POST", f"{path}/{upload_id}/complete")
    note_version(own, reply, content)

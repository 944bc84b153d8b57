"""Making documents and working on them. Every write goes into the books, however it ended."""

from hashlib import sha256
from uuid import uuid4

from loadtests.calls.desk import Desk, Reply
from loadtests.calls.own import Own
from loadtests.ledger import Entry, Known
from loadtests.tenants import MARK

CONTENT = b"A line of a document under load.\n" * 200
REPEATED = 0.25
"""The part of all creations that is sent twice, as a retry would be."""


def create_document(desk: Desk) -> None:
    """A document with content."""
    made = create(desk)
    if made:
        put(desk, made)
        desk.books.give_back(desk.caller.tenant, made)


def update_document(desk: Desk) -> None:
    """Read with the token, then merge metadata; a stale read would lose to If-Match."""
    own = desk.books.take(desk.caller.tenant)
    if own is None:
        create_document(desk)
        return
    etag = read_back(desk, own)
    if etag:
        _patch(desk, own, etag)
    desk.books.give_back(desk.caller.tenant, own)


def put_content(desk: Desk) -> None:
    """The next version of a document."""
    own = desk.books.take(desk.caller.tenant)
    if own is None:
        create_document(desk)
        return
    put(desk, own)
    desk.books.give_back(desk.caller.tenant, own)


def delete_document(desk: Desk) -> None:
    """Delete the document that rested longest, with its present ETag."""
    own = desk.books.take(desk.caller.tenant)
    if own is None:
        create_document(desk)
        return
    etag = read_back(desk, own)
    if not etag:
        desk.books.give_back(desk.caller.tenant, own)
        return
    path = f"documents/{own.document_id}"
    reply = desk.ask("delete document", 204, "DELETE", path, headers={"If-Match": etag})
    if reply.right or not reply.certain:
        own.entry.deleted = Known.DONE if reply.right else Known.UNSURE
    else:
        desk.books.give_back(desk.caller.tenant, own)


def create(desk: Desk) -> Own | None:
    """A document without content; some are asked for twice, and must be made once."""
    entry = desk.books.open(desk.caller.tenant, uuid4().hex)
    own = _create("create document", desk, entry)
    if own and desk.chance.random() < REPEATED:
        _create("create, repeated", desk, entry)
    return own


def put(desk: Desk, own: Own) -> None:
    """Store a version; the document's ETag is not known then."""
    content = CONTENT[: desk.chance.randrange(1, len(CONTENT))]
    reply = desk.ask(
        "put content",
        201,
        "PUT",
        f"documents/{own.document_id}/content",
        headers={"Content-Type": "text/plain"},
        data=content,
        judge=_is_version,
    )
    note_version(own, reply, content)


def note_version(own: Own, reply: Reply, content: bytes) -> None:
    """Write down how storing a version ended."""
    if reply.right:
        own.entry.versions[reply.json()["version_number"]] = sha256(content).hexdigest()
        own.etag, own.token = "", reply.token
    elif not reply.certain:
        own.entry.versions_unsure += 1
        own.forget()


def read_back(desk: Desk, own: Own) -> str:
    """The ETag as a read with our Consistency-Token sees it; it must know our last write.

    Empty when the read failed.
    """

    def judge(reply: Reply) -> str | None:
        if reply.json()["id"] != own.document_id:
            return "another document"
        unseen = own.etag and reply.etag != own.etag
        return "I1: the read did not see the write before it" if unseen else None

    headers = {"Consistency-Token": own.token} if own.token else {}
    path = f"documents/{own.document_id}"
    reply = desk.ask("get own document", 200, "GET", path, headers=headers, judge=judge)
    return reply.etag if reply.right else ""


def _create(name: str, desk: Desk, entry: Entry) -> Own | None:
    def judge(reply: Reply) -> str | None:
        again = entry.document_id is not None and reply.json()["id"] != entry.document_id
        return "I2: the repeated creation made another one" if again else None

    reply = desk.ask(
        name,
        201,
        "POST",
        "documents",
        headers={"Idempotency-Key": entry.mark},
        json={
            "original_name": f"note {entry.mark[:8]}.txt",
            "mime_type": "text/plain",
            "metadata": {MARK: desk.books.run_id, "write": entry.mark},
        },
        judge=judge,
    )
    if not reply.right:
        if entry.created is Known.UNSURE and reply.certain:
            entry.created = Known.NOT_TRIED
        return None
    entry.created, entry.document_id = Known.DONE, reply.json()["id"]
    return Own(entry, reply.json()["id"], reply.etag, reply.token)


def _patch(desk: Desk, own: Own, etag: str) -> None:
    """Each change sets a field of its own, so that each can be looked for."""
    field = f"change {uuid4().hex[:12]}"
    reply = desk.ask(
        "update document",
        200,
        "PATCH",
        f"documents/{own.document_id}",
        headers={"If-Match": etag},
        json={"metadata": {field: True}},
        judge=lambda answer: None if field in answer.json()["metadata"] else "not changed",
    )
    if reply.right:
        own.entry.patches.append(field)
        own.etag, own.token = reply.etag, reply.token
    elif not reply.certain:
        own.entry.patches_unsure += 1
        own.forget()


def _is_version(reply: Reply) -> str | None:
    return None if reply.json()["version_number"] > 0 else "no version"

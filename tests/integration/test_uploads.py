"""Uploads straight to a real S3 server: intent, bytes, completion; one version each (I7, I8)."""

import asyncio
import hashlib
import os

import httpx
import pytest

from services.blobs.direct import PresignedRequest
from services.errors import (
    ChecksumMismatch,
    Conflict,
    ContentRefused,
    ContentTooLarge,
    IdempotencyMismatch,
    NotFound,
    ServiceError,
    UploadEnded,
    UploadIncomplete,
)
from services.fleet import sweeps
from services.settings import DatabaseRole
from services.tenant import content, documents, uploads
from services.tenant.documents import NewDocument
from services.tenant.tickets import Granted, Intent
from services.tenant.versions import Version
from tests.integration.desk import Desk, intent, send

MIB = 1024**2
IN_PARTS = 11 * MIB + 5


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, IN_PARTS])
async def test_what_was_announced_and_sent_becomes_a_version(desk: Desk, size: int) -> None:
    sent = os.urandom(size)
    document = await desk.document()
    version = await desk.uploaded(document, sent)
    assert (version.version_number, version.size) == (1, size)
    assert version.checksum_sha256 == hashlib.sha256(sent).digest()
    given = await content.outgoing(desk.resources, desk.access, document.id, None)
    reader = await content.open_stream(desk.resources, given)
    assert b"".join([chunk async for chunk in reader]) == sent
    assert await desk.rows("SELECT FROM docshard.uploads") == []


async def test_s3_takes_nothing_but_what_was_announced(desk: Desk) -> None:
    """Length, type and digest are part of the signature: a wrong one never gets in."""
    granted = await desk.begin(await desk.document(), b"announced")
    request = granted.upload
    assert request is not None
    right = dict(request.headers)
    wrong = [
        (right, b"unannounc"),
        (right | {"Content-Length": "10"}, b"announced!"),
        (right | {"Content-Type": "text/html"}, b"announced"),
        ({k: v for k, v in right.items() if k != "x-amz-checksum-sha256"}, b"announced"),
    ]
    for headers, sent in wrong:
        assert await status_of_put(request, headers, sent) in {400, 403}
        with pytest.raises(UploadIncomplete):
            await desk.complete(granted)
    await send(granted, b"announced")
    assert (await desk.complete(granted)).version_number == 1
    # What is put again through an address that still lives is the same.
    await send(granted, b"announced")
    assert await status_of_put(request, right, b"unannounc") == 400


async def test_completing_again_and_at_once_makes_one_version(desk: Desk) -> None:
    document = await desk.document()
    for sent in (b"small", os.urandom(IN_PARTS)):
        granted = await desk.begin(document, sent)
        await send(granted, sent)
        made = await asyncio.gather(
            *(desk.complete(granted) for _ in range(8)), return_exceptions=True
        )
        # Only so many verify at a time; who is refused then asks again.
        assert {type(one).__name__ for one in made} <= {"Version", "Overloaded"}
        versions = {one.id for one in made if isinstance(one, Version)}
        assert versions == {(await desk.complete(granted)).id}
    after = await documents.get(desk.resources, desk.access, document.id)
    assert after.current_version == 2


async def test_numbers_are_given_at_completion(desk: Desk) -> None:
    document = await desk.document()
    first, second = [await desk.begin(document, sent) for sent in (b"first", b"second")]
    await send(second, b"second")
    await send(first, b"first")
    assert (await desk.complete(second)).version_number == 1
    assert (await desk.complete(first)).version_number == 2
    assert (await desk.complete(second)).version_number == 1


async def test_wrong_parts_are_refused_and_removed(desk: Desk) -> None:
    document = await desk.document()
    sent = os.urandom(IN_PARTS)
    granted = await desk.begin(document, sent)
    with pytest.raises(UploadIncomplete, match=f"0 of {IN_PARTS}"):
        await desk.complete(granted)
    await send(granted, sent[::-1])
    with pytest.raises(ChecksumMismatch):
        await desk.complete(granted)
    assert await desk.blobs() == []
    with pytest.raises((UploadEnded, NotFound)):
        await desk.complete(granted)


async def test_aborting_removes_what_arrived_and_keeps_what_was_completed(desk: Desk) -> None:
    document = await desk.document()
    for sent in (b"small", os.urandom(IN_PARTS)):
        granted = await desk.begin(document, sent)
        await send(granted, sent)
        ticket = granted.ticket
        await uploads.abort(desk.resources, desk.access, document.id, ticket.upload_id)
        assert await desk.blobs() == []
        with pytest.raises((UploadEnded, NotFound)):
            await desk.complete(granted)
    granted = await desk.begin(document, b"kept")
    await send(granted, b"kept")
    await desk.complete(granted)
    with pytest.raises(Conflict):
        await uploads.abort(desk.resources, desk.access, document.id, granted.ticket.upload_id)


async def test_what_comes_back_after_an_abortion_is_swept(desk: Desk) -> None:
    """The address of an aborted upload still lives: its row stays until it does no more."""
    granted = await desk.begin(await desk.document(), b"late")
    ticket = granted.ticket
    await uploads.abort(desk.resources, desk.access, ticket.document_id, ticket.upload_id)
    await send(granted, b"late")
    assert await desk.blobs() == [ticket.s3_key]
    await expire(desk)
    await sweep(desk)
    assert await desk.blobs() == []
    assert await desk.rows("SELECT FROM docshard.uploads") == []


async def test_abandoned_uploads_and_parts_are_swept(desk: Desk) -> None:
    document = await desk.document()
    for sent in (b"small", os.urandom(IN_PARTS)):
        granted = await desk.begin(document, sent)
        await send(granted, sent)
    kept = await desk.uploaded(document, b"a version")
    assert await sweep(desk) == 0
    await expire(desk)
    assert await sweep(desk) == 2
    assert await desk.blobs() == [kept.s3_key]
    assert await desk.rows("SELECT FROM docshard.uploads") == []
    with pytest.raises(NotFound):
        await desk.complete(granted)


async def test_one_upload_for_each_idempotency_key(desk: Desk) -> None:
    """I2."""
    document = await desk.document()

    async def begin(sent: bytes) -> Granted:
        made = await uploads.create(
            desk.resources, desk.access, document.id, intent(sent), "the same"
        )
        return made.value

    sent = os.urandom(IN_PARTS)
    first, second = await begin(sent), await begin(sent)
    assert first.ticket == second.ticket
    await send(first, sent)
    await send(second, sent)  # a part that is sent again replaces the first
    await desk.complete(second)
    with pytest.raises(IdempotencyMismatch):
        await begin(b"other")
    with pytest.raises(UploadEnded):
        await begin(sent)


async def test_a_document_and_its_upload_in_one(desk: Desk) -> None:
    new = NewDocument("b.txt", "text/plain", {"kind": "note"})
    made = [
        (
            await uploads.create_document(
                desk.resources, desk.access, new, intent(b"content"), "once"
            )
        ).value
        for _ in "ab"
    ]
    assert made[0][0] == made[1][0]
    _, granted = made[0]
    await send(granted, b"content")
    assert (await desk.complete(granted)).mime_type == "text/plain"


async def test_equal_content_is_kept_once(desk: Desk) -> None:
    document, other = await desk.document(), await desk.document()
    versions = [await desk.uploaded(document, b"the same") for _ in "abc"]
    elsewhere = await desk.uploaded(other, b"the same")
    assert [v.version_number for v in versions] == [1, 2, 3]
    assert len({v.s3_key for v in versions}) == 1
    assert sorted(await desk.blobs()) == sorted([versions[0].s3_key, elsewhere.s3_key])


async def test_refusals_before_anything_is_sent(desk: Desk) -> None:
    document = await desk.document()
    most = desk.resources.settings.limits.max_content_bytes
    digest = "0" * 64
    refused: list[tuple[type[ServiceError], Intent, object]] = [
        (ContentTooLarge, Intent(most + 1, digest), document.id),
        (NotFound, Intent(1, digest), desk.client_id),
    ]
    for error, wanted, document_id in refused:
        with pytest.raises(error):
            await uploads.create(desk.resources, desk.access, document_id, wanted)  # type: ignore[arg-type]  # both are ids
    assert await desk.rows("SELECT FROM docshard.uploads") == []


@pytest.mark.parametrize("sent", [b"MZ\x90\x00" + b"\0" * 100, b"<!doctype HTML><script>"])
async def test_a_program_that_passes_for_a_picture_is_refused(desk: Desk, sent: bytes) -> None:
    document = await desk.document()
    wanted = Intent(len(sent), hashlib.sha256(sent).hexdigest(), "image/png")
    granted = (await uploads.create(desk.resources, desk.access, document.id, wanted)).value
    await send(granted, sent)
    with pytest.raises(ContentRefused):
        await desk.complete(granted)
    assert await desk.blobs() == []
    plain = await desk.uploaded(document, sent)
    assert plain.detected_type in {
        "application/vnd.microsoft.portable-executable",
        "text/html",
    }


async def status_of_put(request: PresignedRequest, headers: dict[str, str], sent: bytes) -> int:
    async with httpx.AsyncClient() as http:
        return (await http.put(request.url, headers=headers, content=sent)).status_code


async def expire(desk: Desk) -> None:
    """Let every upload's time pass."""
    async with desk.workplace.fleet.shards["shard-1"].session() as session:
        await session.execute("SET session_replication_role = replica")
        await session.execute("UPDATE docshard.uploads SET expires_at = now() - interval '1 day'")


async def sweep(desk: Desk) -> int:
    """What the worker does now and then."""
    async with desk.workplace.process(DatabaseRole.WORKER) as worker:
        swept = await sweeps.remove_expired_uploads(worker)
    assert swept.failed == ()
    return swept.done

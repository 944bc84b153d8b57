"""Purging: rows at once, blobs later, and never what must be kept. The database itself says no."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from services.blobs.store import Expected
from services.errors import Conflict, Forbidden, NotFound, Retained
from services.fleet import blob_check, sweeps
from services.resources import open_data
from services.settings import DatabaseRole
from services.tenant import documents, purge, versions
from services.tenant.documents import Document, DocumentPatch
from tests.integration.desk import Desk, caller_of, send
from tests.integration.postgres import APP, SUPERUSER

SHORTENING = (
    "UPDATE docshard.documents SET retain_until = now() WHERE id = %s",
    "UPDATE docshard.documents SET retain_until = NULL WHERE id = %s",
)
CHANGING = (
    "DELETE FROM docshard.documents WHERE id = %s",
    "DELETE FROM docshard.document_versions WHERE document_id = %s",
    "UPDATE docshard.document_versions SET size = 0 WHERE document_id = %s",
)
PURGE = "SELECT docshard.purge_document(%s, now())"


def anything(_: Document) -> bool:
    """If-Match: *"""
    return True


async def deleted(desk: Desk, **patch: object) -> Document:
    """A document with two versions, one of them promoted, and deleted."""
    document = await desk.document()
    for content in (b"first", b"second"):
        await desk.uploaded(document, content)
    await versions.promote(desk.resources, desk.access, (document.id, 1), anything)
    if patch:
        changes = DocumentPatch(**patch)  # type: ignore[arg-type]  # named by the test
        await documents.update(desk.resources, desk.access, document.id, changes, anything)
    return (await documents.delete(desk.resources, desk.access, document.id, anything)).value


async def sweep_purged(desk: Desk) -> int:
    async with desk.workplace.process(DatabaseRole.WORKER) as worker:
        return (await sweeps.remove_purged_blobs(worker)).done


async def test_rows_go_at_once_and_blobs_when_no_backup_needs_them(desk: Desk) -> None:
    document = await deleted(desk)
    kept = await desk.uploaded(await desk.document(), b"first")
    before = await desk.blobs()
    assert len(before) == 3  # the promoted version names the first one's
    await purge.purge(desk.resources, desk.access, document.id)
    for statement in (
        "SELECT FROM docshard.documents WHERE id = %s",
        "SELECT FROM docshard.document_versions WHERE document_id = %s",
    ):
        assert await desk.rows(statement, document.id) == []
    with pytest.raises(NotFound):
        await documents.get(desk.resources, desk.access, document.id, deleted=True)
    waiting = await desk.rows("SELECT due_at - purged_at AS stay FROM docshard.purged_blobs")
    assert [row["stay"] for row in waiting] == [timedelta(days=36)] * 2
    assert await sweep_purged(desk) == 0
    assert await desk.blobs() == before
    await overdue(desk)
    assert await sweep_purged(desk) == 2
    assert await desk.blobs() == [kept.s3_key]
    assert await desk.rows("SELECT FROM docshard.purged_blobs") == []


async def test_an_upload_under_way_goes_with_its_document(desk: Desk) -> None:
    document = await desk.document()
    granted = await desk.begin(document, b"late")
    await documents.delete(desk.resources, desk.access, document.id, anything)
    await purge.purge(desk.resources, desk.access, document.id)
    await send(granted, b"late")
    with pytest.raises(NotFound):
        await desk.complete(granted)
    await overdue(desk)
    assert await sweep_purged(desk) == 1
    assert await desk.blobs() == []


async def test_what_must_be_kept_is_kept_from_everyone(desk: Desk) -> None:
    tomorrow = await desk.rows("SELECT now() + interval '1 day' AS at")
    held = await deleted(desk, legal_hold=True)
    retained = await deleted(desk, retain_until=tomorrow[0]["at"])
    living = await desk.document()
    for document, refusal in ((held, Retained), (retained, Retained), (living, Conflict)):
        with pytest.raises(refusal):
            await purge.purge(desk.resources, desk.access, document.id)
        # Past our own checks, too.
        assert await refused(desk, PURGE, document.id) == "DS007"
    await documents.restore(desk.resources, desk.access, held.id)
    freed = DocumentPatch(legal_hold=False)
    await documents.update(desk.resources, desk.access, held.id, freed, anything)
    await documents.delete(desk.resources, desk.access, held.id, anything)
    await purge.purge(desk.resources, desk.access, held.id)


async def test_retention_only_grows(desk: Desk) -> None:
    document = await desk.document()
    now = document.created_at
    for days in (2, 3):
        patch = DocumentPatch(retain_until=now + timedelta(days=days))
        await documents.update(desk.resources, desk.access, document.id, patch, anything)
    shorter = DocumentPatch(retain_until=now + timedelta(days=1))
    with pytest.raises(Retained):
        await documents.update(desk.resources, desk.access, document.id, shorter, anything)
    for statement in SHORTENING:
        assert await refused(desk, statement, document.id) == "DS008"


async def test_only_who_may_purge_may_forbid_it(desk: Desk) -> None:
    document = await desk.document()
    writer = replace(
        desk.access, caller=caller_of(desk.client_id, frozenset({"document:write"})).caller
    )
    for patch in (DocumentPatch(legal_hold=True), DocumentPatch(retain_until=document.created_at)):
        with pytest.raises(Forbidden):
            await documents.update(desk.resources, writer, document.id, patch, anything)


@pytest.mark.parametrize("role", [APP, "docshard_admin", SUPERUSER])
async def test_nobody_changes_or_removes_a_version(desk: Desk, role: str) -> None:
    """I7."""
    document = await deleted(desk)
    for statement in CHANGING:
        # The setting that purge_document makes is of no use to others.
        assert await refused(desk, statement, document.id, role) in {"42501", "DS006"}


async def test_the_check_finds_what_is_missing_and_what_is_nobodys(desk: Desk) -> None:
    """I8."""
    document = await desk.document()
    lost = await desk.uploaded(document, b"lost")
    await desk.uploaded(document, b"there")
    await desk.begin(document, b"never sent")
    stray = f"{desk.client_id}/{document.id}/nobodys"
    settings = desk.workplace.settings()

    async def check(extent: blob_check.Extent) -> blob_check.BlobReport:
        async with open_data(settings, DatabaseRole.ADMIN) as data:
            return await blob_check.check(data, desk.resources.blobs, extent)

    clean = await check(blob_check.WHOLE)
    assert (clean.tenants, clean.versions, clean.blobs) == (1, 2, 2)
    assert (clean.missing, clean.orphans) == ([], [])
    await desk.resources.blobs.delete(lost.s3_key)
    await put(desk, stray)
    found = await check(blob_check.WHOLE)
    assert found.orphans == [stray]
    assert [lost.s3_key in one for one in found.missing] == [True]
    assert (await check(blob_check.SAMPLE)).missing == found.missing


async def overdue(desk: Desk) -> None:
    async with desk.workplace.fleet.shards["shard-1"].session() as session:
        await session.execute("SET session_replication_role = replica")
        await session.execute("UPDATE docshard.purged_blobs SET due_at = now() - interval '1 s'")


async def put(desk: Desk, key: str) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"x"

    await desk.resources.blobs.put_stream(key, content(), "text/plain", Expected(10))


async def refused(desk: Desk, statement: str, value: object, role: str = APP) -> str | None:
    """The SQLSTATE with which a role is refused that has entered and forged all it can."""
    async with desk.workplace.fleet.shards["shard-1"].session(role) as session:
        try:
            async with session.transaction():
                await session.execute("SELECT docshard.enter_write(%s, 1)", [desk.client_id])
                await session.execute("SELECT set_config('app.purging', %s::text, true)", [value])
                await session.execute(statement.encode(), [value])
        except psycopg.Error as error:
            return error.sqlstate
    return None

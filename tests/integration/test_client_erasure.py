"""A client is erased everywhere, whatever interrupts it, and the certificate says so."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.errors import Conflict, NotFound, Retained
from services.fleet import clients
from services.fleet.placement_examination import Extent, examine
from services.fleet.portability import certificate
from services.fleet.portability.arrival import ImportOrder, import_client
from services.fleet.portability.erasure import Erased, ErasureOrder, erase_client
from services.fleet.portability.reach import QUIET, Progress
from services.fleet.side_restore.past import restorable_client
from services.fleet.tombstones import Tombstones
from services.ids import new_id
from services.s3_settings import S3Settings
from shards.whole_tenant import row_counts
from tests.integration import killed_erasure, lives
from tests.integration.belongings import Estate, Estates, furnish

DELETE = "UPDATE docshard.clients SET deleted_at = now() - interval '2 days' WHERE id = %s"
LEFT = """
    INSERT INTO docshard.documents (client_id, id, original_name, mime_type, created_by)
    VALUES (%s, gen_random_uuid(), 'left by a move', 'text/plain', gen_random_uuid())
"""
GONE = """
    INSERT INTO docshard.residency (client_id, epoch, state, move_id, generation)
    VALUES (%s, 1, 'gone', gen_random_uuid(), 1)
"""
HOLD = "UPDATE docshard.documents SET legal_hold = %s WHERE client_id = %s"
MOVE = "INSERT INTO docshard.moves (id, source, target, state) VALUES (%s, %s, %s, 'copying')"
MOVING = "INSERT INTO docshard.move_clients (move_id, client_id, epoch) VALUES (%s, %s, 1)"


@pytest.fixture(scope="module")
async def home(estates: Estates, versioned_s3: S3Settings) -> AsyncIterator[Estate]:
    async with estates(versioned_s3) as made:
        yield made


async def left_behind(home: Estate, client_id: UUID, shard: str) -> None:
    """A document that a failed move has left on a shard."""
    async with home.workplace.fleet.shards[shard].session() as session:
        await session.execute("SET session_replication_role = replica")
        await session.execute(LEFT, [client_id])


async def rows_left(home: Estate, client_id: UUID) -> dict[str, int]:
    """How many rows each table of each shard has of the client; those with none left out."""
    found: dict[str, int] = {}
    for shard in home.reach.mover.registry.shards():
        cluster = home.reach.mover.registry.cluster(shard.name)
        counts = await row_counts(cluster, client_id)
        found |= {f"{shard.name}.{table}": rows for table, rows in counts.items() if rows}
    return found


async def test_an_erasure_is_noted_where_a_restored_directory_finds_it(home: Estate) -> None:
    """Beside the backups; and nothing of a backup is brought back for who was erased."""
    client_id = await home.workplace.fleet.tenant("shard-1")
    await home.sql(DELETE, client_id)
    noted = replace(home.reach, tombstones=Tombstones([home.reach.blobs], "docshard/erasures/"))
    for live in (timedelta(days=3), timedelta(days=1)):
        order = ErasureOrder(client_id, "asked for it", live, None)
        done = await erase_client(noted, order)
        assert client_id in await noted.tombstones.ids()
        stone = await noted.tombstones.read(client_id)
        assert stone.certificate == done.certificate
        with pytest.raises(Conflict, match="to be forgotten"):
            await restorable_client(noted.data, str(client_id))
    assert stone.certificate


async def erase(
    home: Estate,
    client_id: UUID,
    live: timedelta = timedelta(days=1),
    progress: Progress = QUIET,
) -> Erased:
    order = ErasureOrder(client_id, "asked for it", live, None)
    return await erase_client(home.reach, order, progress)


async def test_nothing_is_left_whatever_interrupts_it(home: Estate) -> None:
    client_id, neighbour = await furnish(home), await home.workplace.fleet.tenant("shard-2")
    await left_behind(home, neighbour, "shard-2")
    await left_behind(home, client_id, "shard-2")
    await home.shard_sql("shard-2", GONE, client_id)
    (first, *_) = await home.keys(client_id)
    await home.reach.blobs.delete(first)  # the bucket keeps it as a version
    await home.sql(DELETE, client_id)
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", killed_erasure.__name__, str(client_id)),
        env=lives.environment(home.workplace),
        stdout=subprocess.PIPE,
    )
    output, _ = await run.communicate()
    assert run.returncode == 0
    steps = output.decode().splitlines()
    assert [step.split()[-1] for step in steps] == [
        *("begun", "shut", "shut", "shut", "counted"),
        *(["removed"] * 4),
        *("left", "erased"),
    ]
    assert await rows_left(home, client_id) == {}
    assert await rows_left(home, neighbour) == {"shard-2.documents": 1}
    for prefix in (f"{client_id}/", f"audit-archive/{client_id}/"):
        held = await home.reach.blobs.whole.count(prefix)
        assert (held.versions, held.markers) == (0, 0)
    assert (await examine(home.reach.mover, Extent(client=client_id))).found == ()

    signed = (await erase(home, client_id)).certificate
    assert signed is not None
    assert certificate.faults(signed) == []
    said = signed["statement"]
    assert said["erased"]["rows_by_shard"]["shard-2"] == {"documents": 1}
    assert said["erased"]["rows_by_shard"]["shard-1"]["document_versions"] == 5
    assert said["erased"]["directory_rows"]["user_roles"] == 1
    assert said["erased"]["contents"]["versions"] >= 5
    assert said["erased"]["archived_audit_months"]["versions"] == 1
    assert said["backups"]["hold_it_until"] > said["erased_at"]
    told = await home.sql(
        "SELECT reason FROM docshard.audit_logs WHERE action = 'client.erase' AND client_id = %s"
        " ORDER BY created_at",
        client_id,
    )
    assert [row["reason"] for row in told] == ["asked for it"] * 2
    forged = signed | {"statement": said | {"reason": "another"}}
    assert certificate.faults(forged) == ["its statement is not what was signed"]
    with pytest.raises(NotFound):
        await clients.restore(home.reach.data, client_id, None)


async def test_what_must_be_kept_is_not_erased(home: Estate) -> None:
    client_id = await home.workplace.fleet.tenant("shard-1")
    await left_behind(home, client_id, "shard-1")
    with pytest.raises(NotFound):
        await erase(home, client_id)
    await home.sql(DELETE, client_id)
    async with home.workplace.fleet.shards["shard-1"].session() as session:
        await session.execute("SET session_replication_role = replica")
        await session.execute(HOLD, [True, client_id])
        with pytest.raises(Retained):
            await erase(home, client_id)
        await session.execute(HOLD, [False, client_id])
    move = new_id()
    await home.sql(MOVE, move, "shard-1", "shard-2")
    await home.sql(MOVING, move, client_id)
    with pytest.raises(Conflict, match=str(move)):
        await erase(home, client_id)
    await home.sql("UPDATE docshard.move_clients SET ended = true WHERE move_id = %s", move)
    await home.sql("UPDATE docshard.moves SET state = 'aborted' WHERE id = %s", move)
    assert (await rows_left(home, client_id)) == {"shard-1.documents": 1}

    # A hold that came before everybody knew of the deletion is heeded, too.
    def killed(_: str) -> None:
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await erase(home, client_id, progress=Progress(step=killed))
    async with home.workplace.fleet.shards["shard-1"].session() as session:
        await session.execute("SET session_replication_role = replica")
        await session.execute(HOLD, [True, client_id])
        with pytest.raises(Retained):
            await erase(home, client_id)
        assert (await rows_left(home, client_id)) == {"shard-1.documents": 1}
        await session.execute(HOLD, [False, client_id])

    # Begun, it comes back no more; and it ends when nobody can upload any more.
    waits = await erase(home, client_id, timedelta(days=3))
    assert waits.certificate is None
    assert waits.again_at is not None
    assert await rows_left(home, client_id) == {}
    with pytest.raises(Conflict, match="being erased"):
        await clients.restore(home.reach.data, client_id, None)
    (found,) = (await examine(home.reach.mover, Extent(client=client_id, grace_seconds=0))).found
    assert "erasure" in found.what
    signed = (await erase(home, client_id)).certificate
    assert signed is not None
    assert signed["statement"]["backups"]["hold_it_until"] == "unknown"


async def test_the_erased_are_not_imported_again(home: Estate, tmp_path: Path) -> None:
    client_id = await home.workplace.fleet.tenant("shard-1")
    await left_behind(home, client_id, "shard-1")
    await home.export(client_id, tmp_path / "export")
    await home.sql(DELETE, client_id)
    await erase(home, client_id)
    with pytest.raises(Conflict, match="erased"):
        await import_client(home.reach, ImportOrder(tmp_path / "export"))

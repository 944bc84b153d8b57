"""One client out of a backup: what was lost comes back, and nothing newer is written over.

A clone of the shard's database is the backup, of the schema before this code's.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from global_db.cluster import Cluster, PoolLimits
from services.access.admission import TenantAccess
from services.blobs.store import BlobStore
from services.errors import Conflict
from services.fleet import migrate
from services.fleet.clients import living_or_deleted
from services.fleet.portability.export import Order as ExportOrder
from services.fleet.portability.export import export_client
from services.fleet.portability.reach import Reach
from services.fleet.portability.verify import check
from services.fleet.side_restore.comparison import Comparison, compare
from services.fleet.side_restore.contents import Contents
from services.fleet.side_restore.judgement import Wish
from services.fleet.side_restore.past import Past, PastSource, home_at
from services.fleet.side_restore.put_back import Order, PutBack, put_back
from services.keys.local_file import create_key_file
from services.s3_settings import S3Settings
from services.tenant import documents, purge
from services.tenant.documents import DocumentPatch
from shards.history import HISTORY
from shards.row_export import TABLES, row_snapshot
from tests.integration.databases import registered_fleet
from tests.integration.desk import Workplace
from tests.integration.postgres import ADMIN, MOVER, Database, Postgres
from tests.integration.proving import Proving, anything, proving

KEPT = ("documents", "document_versions", "audit_logs", "audit_chain", "audit_archives")
EVERYTHING = ";".join(f"DELETE FROM docshard.{one} WHERE client_id = %(client)s" for one in KEPT)  # noqa: S608 - names of our own
ONE = """
    DELETE FROM docshard.document_versions
     WHERE client_id = %(client)s AND document_id = %(document)s;
    DELETE FROM docshard.documents WHERE client_id = %(client)s AND id = %(document)s;
    DELETE FROM docshard.audit_logs WHERE client_id = %(client)s AND entity_id = %(document)s;
"""


@dataclass(frozen=True)
class Scene:
    """A shard, its backup, and clients of it."""

    here: Proving
    past: Past
    contents: Contents
    reach: Reach
    access: TenantAccess
    swept: TenantAccess
    neighbour: TenantAccess
    documents: dict[str, UUID]

    async def compare(self, access: TenantAccess, folder: Path) -> Comparison:
        return await compare(self.reach, self.past, access.client_id, folder)

    async def put_back(self, access: TenantAccess, found: Comparison) -> PutBack:
        return await put_back(
            self.reach, self.contents, Order(access.client_id, "an accident", {}), found
        )

    async def sound(self, access: TenantAccess) -> bool:
        """I5, I7, I8: its books, its versions, its contents, its chain."""
        await self.here.link()
        found = await self.here.found(access.client_id, reads_blobs=True)
        assert not found
        return not found

    async def spoil(self, access: TenantAccess, statements: str, **values: Any) -> None:
        for one in filter(str.strip, statements.split(";")):
            await self.here.spoil(one, client=access.client_id, **values)


@pytest.fixture(scope="module")
async def scene(
    postgres: Postgres,
    shard_servers: tuple[Postgres, Postgres],
    versioned_s3: S3Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Scene]:
    key_file = tmp_path_factory.mktemp("keys") / "key"
    create_key_file(key_file)
    store = BlobStore(versioned_s3)
    await store.ensure_bucket()
    async with registered_fleet(postgres, shard_servers) as fleet:
        workplace = Workplace(fleet, versioned_s3, key_file)
        names = ("lost", "purged", "binned", "overwritten", "untouched", "in the bin")
        async with proving(workplace, store) as before:
            owners = [await before.tenant() for _ in range(3)]
            stories = await before.stories([*owners[1:], *[owners[0]] * len(names)])
            known = dict(zip(names, stories[2:], strict=True))
            await documents.delete(before.router, owners[0], known["in the bin"], anything)
            await before.link()
        shard = fleet.shards["shard-1"]
        moment = datetime.now(UTC)
        with shard.server.database(shard.name, f"{shard.name}_past") as copy:
            await _migrate_an_older_schema(copy)
            past = Cluster("shard-1", [copy.address], copy.login(MOVER), PoolLimits())
            async with past, proving(workplace, store) as here:
                sources = here.sources
                assert sources.mover
                assert sources.keyring
                reach = Reach(sources.data, sources.mover, sources.keyring, store)
                await reach.data.registry.refresh()
                await reach.mover.registry.refresh()
                contents = Contents(store)
                backup = Past(past, "shard-1", moment)
                access, swept, neighbour = owners
                yield Scene(here, backup, contents, reach, access, swept, neighbour, known)
    await store.close()


async def _migrate_an_older_schema(copy: Database) -> None:
    """As `restore-client` finds a backup from before an upgrade, and what it does then."""
    *_, previous, head = HISTORY.revisions()
    HISTORY.downgrade(copy.conninfo(ADMIN), previous)
    async with copy.cluster(ADMIN) as cluster:
        done = await migrate.up_restored(cluster)
    assert (done.before, done.after, done.error) == (previous, head, None)


async def rows(cluster: Cluster, client: UUID) -> dict[str, list[str]]:
    async with row_snapshot(cluster, client, 1) as snapshot:
        return {
            str(table.name): [line async for page in snapshot.lines(table) for line in page]
            for table in TABLES
        }


async def test_an_export_of_then_proves_itself(scene: Scene, tmp_path: Path) -> None:
    client = await living_or_deleted(scene.reach.data, str(scene.access.client_id))
    source = PastSource(scene.past, scene.contents)
    folder = tmp_path / "export"
    done = await export_client(scene.reach, ExportOrder(client, folder, source=source))
    checked = check(folder)
    assert (done.faults, checked.faults) == ((), [])
    assert checked.manifest.snapshot_at[:19] == f"{scene.past.at:%Y-%m-%dT%H:%M:%S}"
    counted = {part.name: part.rows for part in checked.manifest.tables}
    assert counted["documents"] == len(scene.documents)


async def test_all_rows_come_back_byte_for_byte(scene: Scene, tmp_path: Path) -> None:
    """Somebody has removed everything, its audit log too, while neighbours write."""
    client = scene.swept.client_id
    then = await rows(scene.past.cluster, client)
    await scene.spoil(scene.swept, EVERYTHING)
    found = await scene.compare(scene.swept, tmp_path)
    assert {one.table: one.missing for one in found.tables if one.missing} == {
        name: len(lines) for name, lines in then.items() if lines
    }
    done = await scene.put_back(scene.swept, found)
    assert done.left == {}
    assert await rows(scene.reach.mover.registry.cluster("shard-1"), client) == then
    assert await scene.sound(scene.swept)


async def test_documents_come_back_and_nothing_newer_is_lost(scene: Scene, tmp_path: Path) -> None:
    here, access, known = scene.here, scene.access, scene.documents
    await _years_later(scene)
    found = await scene.compare(access, tmp_path)
    assert found.documents == {Wish.UNDELETE: 1, Wish.CONTENT: 1, Wish.FIELDS: 1}
    writing = asyncio.create_task(here.story(scene.neighbour))
    done = await scene.put_back(access, found)
    await writing
    assert done.left == {}
    assert (done.rows["documents"], done.documents) == (2, found.documents)

    then = await rows(scene.past.cluster, access.client_id)
    now = await rows(scene.reach.mover.registry.cluster("shard-1"), access.client_id)
    assert set(then["document_versions"]) <= set(now["document_versions"])
    assert set(then["audit_logs"]) <= set(now["audit_logs"])
    lost = str(known["lost"])
    assert [one for one in now["documents"] if lost in one] == [
        one for one in then["documents"] if lost in one
    ]
    states = {}
    for name, document in known.items():
        states[name] = await documents.get(here.router, access, document, deleted=True)
    assert {name for name, one in states.items() if one.deleted_at} == {"in the bin"}
    # Three versions were there, the fourth was newer, the fifth is the third again.
    assert states["overwritten"].current_version == 5
    assert states["overwritten"].original_name == "b.txt"
    assert states["purged"].current_version == 3
    assert await scene.sound(access)
    assert await scene.sound(scene.neighbour)
    # What came back may change again, and be purged for good.
    await here.put(access, known["purged"], "four")
    await documents.delete(here.router, access, known["purged"], anything)
    assert await scene.sound(access)

    again = await scene.compare(access, tmp_path)
    assert [one.missing for one in again.tables if one.table in KEPT] == [0] * len(KEPT)
    assert again.documents == {Wish.UNDELETE: 1, Wish.CONTENT: 1, Wish.FIELDS: 0}


async def _years_later(scene: Scene) -> None:
    here, access, known = scene.here, scene.access, scene.documents
    await scene.spoil(access, ONE, document=known["lost"])
    await here.put(access, known["purged"], "a fourth one")
    for name in ("purged", "binned"):
        await documents.delete(here.router, access, known[name], anything)
    await purge.purge(here.router, access, known["purged"])
    # Its contents went before their time: the bucket has them as earlier versions alone.
    for line in (await rows(scene.past.cluster, access.client_id))["document_versions"]:
        if str(known["purged"]) in line:
            key = line.split('"s3_key":"')[1].split('"')[0]
            await scene.reach.blobs.delete(key)
    await here.put(access, known["overwritten"], "newer")
    patch = DocumentPatch(original_name="newer.txt")
    await documents.update(here.router, access, known["overwritten"], patch, anything)
    await here.document(access)
    await here.link()


async def test_what_changes_meanwhile_is_left(scene: Scene, tmp_path: Path) -> None:
    here, access = scene.here, scene.neighbour
    document = await here.document(access)
    await here.put(access, document, "here after the backup")
    found = await scene.compare(access, tmp_path)
    await documents.delete(here.router, access, document, anything)
    done = await scene.put_back(access, found)
    assert (done.left, done.documents[Wish.UNDELETE]) == ({}, 0)


async def test_who_lived_elsewhere_is_told(scene: Scene, tmp_path: Path) -> None:
    moment = scene.past.at
    elsewhere = await scene.here.tenant("shard-2")
    assert await home_at(scene.reach.data, elsewhere.client_id, moment, "shard-2") == "shard-2"
    with pytest.raises(Conflict, match="did not live on shard-1"):
        await scene.compare(elsewhere, tmp_path)

"""What must hold when a case is over, told from the databases past our own code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from psycopg import sql

from global_db.connection import RawConnection
from services.fleet import placement_examination
from shards.tables import TENANT_TABLES
from tests.faults.matrix.ledger import Ledger, digest_of
from tests.faults.matrix.stands import Stand
from tests.faults.matrix.world import World
from tests.integration.rows import qualified

_DOCUMENTS = """
    SELECT id, original_name, current_version, checksum_sha256 FROM docshard.documents
     WHERE client_id = %s
"""
_VERSIONS = """
    SELECT document_id, version_number, s3_key, checksum_sha256 FROM docshard.document_versions
     WHERE client_id = %s ORDER BY document_id, version_number
"""
_AUDIT = """
    SELECT entity_id, action, count(*) AS times FROM docshard.audit_logs
     WHERE client_id = %s AND action IN ('document.create', 'version.create') GROUP BY 1, 2
"""
_KEYS = "SELECT key FROM docshard.idempotency_keys WHERE client_id = %s"
_RESIDENCY = "SELECT epoch, state, move_id FROM docshard.residency WHERE client_id = %s"
_OBJECTS = """
    SELECT 'slot ' || slot_name AS what FROM pg_replication_slots
     WHERE database = current_database()
    UNION ALL SELECT 'publication ' || pubname FROM pg_publication
    UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
"""
_LEFT = "SELECT kind || ' ' || name AS what FROM docshard.leftovers WHERE removed_at IS NULL"

Rows = list[dict[str, Any]]


async def faults(world: World, ledgers: Sequence[Ledger]) -> list[str]:
    """What is wrong with these tenants and with what moves left; none when all is well."""
    found: list[str] = []
    for ledger in ledgers:
        found += await _faults_of(world, ledger)
    found += await _debris(world)
    examined = await placement_examination.examine(world.mover)
    found += [f"doctor: {one.subject}: {one.what}" for one in examined.findings()]
    return found


async def open_elsewhere(world: World, stand: Stand, ledgers: Sequence[Ledger]) -> list[str]:
    """Who could be written to on a shard that the directory says they have left (I3)."""
    homes = {one.client_id: await world.home(one.client_id) for one in ledgers}
    found = []
    async with stand.database.session() as session:
        for client, (home, epoch) in homes.items():
            rows = await _rows(session, _RESIDENCY, client)
            over = [row for row in rows if row["state"] == "open" and row["epoch"] < epoch]
            found += [f"{client}: {row}" for row in over if home != stand.name]
    return found


async def _faults_of(world: World, ledger: Ledger) -> list[str]:
    client = ledger.client_id
    found: list[str] = []
    home, epoch = await world.home(client)
    for name, stand in world.shards.items():
        async with stand.database.session() as session:
            residency = await _rows(session, _RESIDENCY, client)
            if name != home:
                found += _judge_elsewhere(residency, await _counts(session, client))
                continue
            found += _judge_home(residency, epoch)
            found += judge_documents(ledger, await _rows(session, _DOCUMENTS, client))
            found += judge_versions(
                ledger,
                await _rows(session, _VERSIONS, client),
                await _rows(session, _DOCUMENTS, client),
            )
            found += judge_audit(ledger, await _rows(session, _AUDIT, client))
            found += _judge_keys(ledger, await _rows(session, _KEYS, client))
    return [f"{client}: {one}" for one in found]


def judge_documents(ledger: Ledger, rows: Rows) -> Iterator[str]:
    """I1, I2: every acknowledged document once, as it was made; no other."""
    there = {row["id"]: row["original_name"] for row in rows}
    yield from (f"{one} was acknowledged and is lost" for one in ledger.made.keys() - there.keys())
    yield from (f"{one} was never acknowledged" for one in there.keys() - ledger.made.keys())
    yield from (f"{one} has another name" for one in there if ledger.made.get(one) != there[one])
    names = Counter(there.values())
    yield from (f"{name} was made {times} times" for name, times in names.items() if times > 1)


def judge_versions(ledger: Ledger, rows: Rows, documents: Rows) -> Iterator[str]:
    """I1, I2, I7: the acknowledged versions, in their order, dense, with their digests."""
    for document in documents:
        mine = [row for row in rows if row["document_id"] == document["id"]]
        if [row["s3_key"] for row in mine] != ledger.lists.get(document["id"], []):
            yield f"{document['id']} has other versions than were acknowledged"
        if [row["version_number"] for row in mine] != list(range(1, len(mine) + 1)):
            yield f"{document['id']}: the numbers of its versions are not dense"
        if any(row["checksum_sha256"] != digest_of(row["s3_key"]) for row in mine):
            yield f"{document['id']}: the digest of a version differs"
        newest = mine[-1]["checksum_sha256"] if mine else None
        if (document["current_version"], document["checksum_sha256"]) != (len(mine), newest):
            yield f"{document['id']}: its current version is not the newest"


def judge_audit(ledger: Ledger, rows: Rows) -> Iterator[str]:
    """I5: one row for each change."""
    there = {(row["entity_id"], row["action"]): row["times"] for row in rows}
    wanted = {(one, "document.create"): 1 for one in ledger.made}
    wanted |= {(one, "version.create"): len(made) for one, made in ledger.lists.items() if made}
    for entity, action in wanted.keys() | there.keys():
        audited, changed = there.get((entity, action), 0), wanted.get((entity, action), 0)
        if audited != changed:
            yield f"{entity}: {changed} times {action}, and {audited} audit rows"


def _judge_keys(ledger: Ledger, rows: Rows) -> Iterator[str]:
    """I2: the keys have moved with their effects."""
    if len(rows) != ledger.writes:
        yield f"{ledger.writes} keys were used, {len(rows)} are there"


def _judge_home(rows: Rows, epoch: int) -> Iterator[str]:
    """I6: open at the directory's epoch, no move's."""
    if rows != [{"epoch": epoch, "state": "open", "move_id": None}]:
        yield f"at home it should be open at {epoch}: {rows}"


def _judge_elsewhere(residency: Rows, counts: dict[str, int]) -> Iterator[str]:
    """I3, I6: elsewhere it is gone, and so are its rows."""
    if any(row["state"] != "gone" for row in residency):
        yield f"elsewhere it should be gone: {residency}"
    yield from (f"elsewhere {count} rows of {table}" for table, count in counts.items() if count)


async def _debris(world: World) -> list[str]:
    found = []
    for name, stand in world.shards.items():
        async with stand.database.session() as session:
            cursor = await session.execute(_OBJECTS)
            found += [f"{name}: {row['what']}" for row in await cursor.fetchall()]
    async with world.fleet.global_db.session() as session:
        cursor = await session.execute(_LEFT)
        return found + [f"leftover: {row['what']}" for row in await cursor.fetchall()]


async def _counts(session: RawConnection, client: UUID) -> dict[str, int]:
    counts = {}
    for table in TENANT_TABLES:
        query = sql.SQL("SELECT count(*) AS rows FROM {} WHERE client_id = %s")
        cursor = await session.execute(query.format(qualified(table)), [client])
        counts[table.name] = (await cursor.fetchall())[0]["rows"]
    return counts


async def _rows(session: RawConnection, query: str, client: UUID) -> Rows:
    cursor = await session.execute(query.encode(), [client])
    return await cursor.fetchall()

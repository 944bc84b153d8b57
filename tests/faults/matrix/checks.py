"""What must hold when a case is over: nothing of the ledgers is lost or doubled, as the databases
have it past our own code; and what `docshard doctor --deep` proves of every fleet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

from global_db.connection import RawConnection
from services.fleet import placement_examination
from services.fleet.invariants.proof import Rule, Scope, Sources, prove
from services.fleet.placement_examination import Extent
from tests.faults.matrix.ledger import Ledger, digest_of
from tests.faults.matrix.stands import Stand
from tests.faults.matrix.world import World

# No blobs here, and where tenants live is asked of all of them at once.
_PROVEN = frozenset({Rule.AUDITED, Rule.VERSIONED})
# The last move has ended: nothing is young enough to be excused.
_EVERYBODY = Extent(grace_seconds=0.0)

_DOCUMENTS = "SELECT id, original_name FROM docshard.documents WHERE client_id = %s"
_VERSIONS = """
    SELECT document_id, s3_key, checksum_sha256 FROM docshard.document_versions
     WHERE client_id = %s ORDER BY document_id, version_number
"""
_CHANGES = """
    SELECT id FROM docshard.audit_logs
     WHERE client_id = %s AND action IN ('document.create', 'version.create')
"""
_KEYS = "SELECT key FROM docshard.idempotency_keys WHERE client_id = %s"
_RESIDENCY = "SELECT epoch, state FROM docshard.residency WHERE client_id = %s"
_GIVEN_UP = """
    SELECT of_move.epoch + 1 AS epoch
      FROM docshard.move_clients AS of_move JOIN docshard.moves ON moves.id = of_move.move_id
     WHERE of_move.client_id = %s AND moves.state = 'aborted'
"""
_LEFT = "SELECT kind || ' ' || name AS what FROM docshard.leftovers WHERE removed_at IS NULL"

Rows = list[dict[str, Any]]


async def faults(world: World) -> list[str]:
    """What is wrong with the tenants, and with the fleet; none when all is well."""
    found: list[str] = []
    for ledger in world.ledgers:
        found += [f"{ledger.client_id}: {one}" for one in await _faults_of(world, ledger)]
        scope = Scope(client=ledger.client_id, rules=_PROVEN, staleness=None, settled=True)
        report = await prove(Sources(world.operator), scope)
        found += [f"{ledger.client_id}: {one.rule}: {one.what}" for one in report.findings]
    examined = await placement_examination.examine(world.mover, _EVERYBODY)
    found += [f"doctor: {one.subject}: {one.what}" for one in examined.findings()]
    async with world.fleet.global_db.session() as session:
        cursor = await session.execute(_LEFT)
        return found + [f"leftover: {row['what']}" for row in await cursor.fetchall()]


async def open_elsewhere(world: World, stand: Stand) -> list[str]:
    """Who could be written to on a shard that the directory says they have left (I3)."""
    found: list[str] = []
    for one in world.ledgers:
        client = one.client_id
        home, epoch = await world.home(client)
        async with world.fleet.global_db.session() as session:
            given_up = {int(row["epoch"]) for row in await _rows(session, _GIVEN_UP, client)}
        if home != stand.name:
            async with stand.database.session() as session:
                rows = await _rows(session, _RESIDENCY, client)
            found += [f"{client}: {what}" for what in judge_openings(rows, epoch, given_up)]
    return found


def judge_openings(rows: Rows, epoch: int, given_up: Collection[int]) -> Iterator[str]:
    """I3: where a tenant has left, it is open at no epoch that routers may still believe in.

    What a move opened that was aborted behind its opening was never in the directory: nobody comes
    with that epoch. The move closes it once the shard answers, which a dead primary does not."""
    for row in rows:
        if row["state"] == "open" and row["epoch"] < epoch and row["epoch"] not in given_up:
            yield f"open at {row['epoch']}, and the directory is at {epoch}"


async def _faults_of(world: World, ledger: Ledger) -> list[str]:
    client = ledger.client_id
    home, _ = await world.home(client)
    async with world.shards[home].database.session() as session:
        found = [
            *judge_documents(ledger.made, await _rows(session, _DOCUMENTS, client)),
            *judge_versions(ledger.made, ledger.lists, await _rows(session, _VERSIONS, client)),
        ]
        for what, query in (("audit rows", _CHANGES), ("Idempotency-Keys", _KEYS)):
            if (there := len(await _rows(session, query, client))) != ledger.writes:
                found.append(f"{there} {what}, and {ledger.writes} acknowledged writes")
    return found


def judge_documents(made: Mapping[UUID, str], rows: Rows) -> Iterator[str]:
    """I1, I2, I3: every acknowledged document once, as it was made; no other."""
    there = {row["id"]: row["original_name"] for row in rows}
    yield from (f"{one} was acknowledged and is lost" for one in made.keys() - there.keys())
    yield from (f"{one} was never acknowledged" for one in there.keys() - made.keys())
    for one in there.keys() & made.keys():
        if there[one] != made[one]:
            yield f"{one} has another name"
    names = Counter(there.values())
    yield from (f"{name} was made {times} times" for name, times in names.items() if times > 1)


def judge_versions(
    made: Collection[UUID], lists: Mapping[UUID, list[str]], rows: Rows
) -> Iterator[str]:
    """I1, I2, I3: the acknowledged versions in their order, with their digests; no other."""
    there: dict[UUID, Rows] = defaultdict(list)
    for row in rows:
        there[row["document_id"]].append(row)
    for document in set(made) | set(there):
        mine = there[document]
        if [row["s3_key"] for row in mine] != lists.get(document, []):
            yield f"{document} has other versions than were acknowledged"
        if any(row["checksum_sha256"] != digest_of(row["s3_key"]) for row in mine):
            yield f"{document}: the digest of a version differs"


async def _rows(session: RawConnection, query: str, client: UUID) -> Rows:
    cursor = await session.execute(query.encode(), [client])
    return await cursor.fetchall()

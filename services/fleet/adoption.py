"""A restored cluster takes a shard's place (docs/decisions/0045).

    fenced    nobody listens at the registered addresses any more
    settled   every tenant is as the directory has it, or an operator has said what becomes of it
    recorded  in one transaction of the directory: addresses, epochs, moves, withdrawn heads
    started   at its address, for whoever asks; replicas and backups are made anew

The order is what upholds I3 and I6. From `fenced` on nothing of the shard changes in the directory
but by us: a move needs both its shards for each step, and a client reaches its shard before its row
is inserted. So what was settled with the copy is still so when it is recorded, however long that
took; and since the copy listens at an address of its own until `started`, nobody meets it before.
Killed anywhere, the same command begins again: each step finds what the one before has left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from global_db import adoptions, audit_heads, shard_catalog
from global_db.adoptions import Reopened
from global_db.audit_heads import Head
from global_db.cluster import Cluster
from global_db.connection import WriteConnection
from services.audit import Event, record_global
from services.errors import Conflict
from services.failures import global_failures
from services.fleet.finding import Finding
from services.fleet.reconciliation import Verdict
from services.fleet.restored_fleet import Restored
from services.fleet.shard_addresses import Readdress, told, write
from services.fleet.shards import entity_of
from services.fleet.unmet import Unmet
from services.identity.principal import Origin
from shards import census, chain, whole_tenant
from shards.adopted import open_again
from shards.census import Span

_TOLD = 20
_TENANTS = 500


@dataclass(frozen=True, slots=True)
class Decisions:
    """What an operator says of tenants, by id or code, whom the restored shard has otherwise.

    `opened` are served from the older rows that are there, `closed` are served from nowhere until
    somebody mends them; with `all_closed` all that nothing else was said of. `were` is what
    restores have found open before they closed it: rows are there, though the shard calls them
    gone.
    """

    opened: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    were: frozenset[UUID] = frozenset()
    all_closed: bool = False

    def opens(self, verdict: Verdict) -> bool:
        """Whether this tenant is to be opened again."""
        return bool(self.opened & _names(verdict))

    def decides(self, verdict: Verdict) -> bool:
        """Whether anything was said of this tenant."""
        return self.all_closed or bool((self.opened | self.closed) & _names(verdict))


@dataclass(slots=True)
class Settled:
    """A shard that may be recorded: tenants served as they were, opened, left closed, erased."""

    shard: str
    served: int = 0
    opened: list[Reopened] = field(default_factory=list)
    closed: list[Verdict] = field(default_factory=list)
    elsewhere: int = 0
    erased: int = 0
    withdrawn: list[tuple[Head, int]] = field(default_factory=list)
    """Signed heads behind the end of restored audit chains, and the seq where each ends."""


async def settle(restored: Restored, decisions: Decisions) -> Mapping[str, Settled]:
    """Settle every tenant on restored shards; nothing is changed unless all are decided.

    Raises:
        Unmet: of some nothing was said, or what was said cannot be done.
    """
    await _demand_decided(restored, decisions)
    done = {name: Settled(name) for name in restored.shards}
    async for verdict in restored.verdicts():
        await _settle(restored, decisions, verdict, done[verdict.shard])
    for name, cluster in restored.shards.items():
        done[name].withdrawn = [one async for one in _ahead(restored.directory, cluster)]
    return done


async def record(directory: Cluster, settled: Settled, order: Readdress, revision: str) -> None:
    """Write into the directory that the restored cluster is the shard now; all or nothing.

    Raises:
        Conflict: the directory has changed since it was settled. Unmet, NotFound,
        DirectoryUnavailable.
    """
    with global_failures():
        async with directory.write() as connection:
            before, after = await write(connection, order)
            await shard_catalog.set_revision(connection, order.name, revision)
            moves = await adoptions.depose_runners(connection, order.name)
            for one in settled.opened:
                if not await adoptions.reopen(connection, order.name, one):
                    raise Conflict(f"Client {one.client_id} has changed meanwhile: run it again.")
            for head, seq in settled.withdrawn:
                await _withdraw(connection, head, seq, order)
            image = {
                "nodes": told(after.nodes),
                "served": settled.served,
                "opened": [str(one.client_id) for one in settled.opened],
                "closed": [str(one.client_id) for one in settled.closed],
                "moves": [str(one) for one in moves],
                "withdrawn_heads": len(settled.withdrawn),
            }
            images = ({"nodes": told(before.nodes)}, image)
            event = Event("shard.adopt", "shard", entity_of(order.name), *images)
            await record_global(connection, Origin(reason=order.reason), event)


async def _demand_decided(restored: Restored, decisions: Decisions) -> None:
    found: list[Finding] = []
    count = 0
    async for verdict in restored.verdicts():
        fault = _fault(verdict, decisions)
        if fault is not None:
            count += 1
            found += [fault] if len(found) < _TOLD else []
    if found:
        raise Unmet(f"{count} clients are not as the directory has them.", found)


def _fault(verdict: Verdict, decisions: Decisions) -> Finding | None:
    if not verdict.waits:
        return None
    client, state = (
        verdict.code or str(verdict.client_id),
        f"{verdict.found} at {verdict.directory}",
    )
    if decisions.opens(verdict) and not _has_rows(verdict, decisions):
        advice = f"say --leave-closed {client}; {verdict.advice}"
        return Finding(client, f"has no whole rows there: {state}", advice)
    if not decisions.decides(verdict):
        advice = f"say --leave-closed {client}, or --open {client} to serve the rows of then"
        return Finding(client, f"is {state}; {verdict.why}", advice)
    return None


def _has_rows(verdict: Verdict, decisions: Decisions) -> bool:
    found = (verdict.found or "").partition("@")[0]
    return found in ("open", "fenced") or (found == "gone" and verdict.client_id in decisions.were)


async def _settle(
    restored: Restored, decisions: Decisions, verdict: Verdict, done: Settled
) -> None:
    if verdict.served:
        done.served += 1
    elif verdict.waits and decisions.opens(verdict):
        done.opened.append(await _open(restored.shards[verdict.shard], verdict))
    else:
        await restored.settle(verdict)
        done.erased += verdict.erased
        if verdict.waits:
            done.closed.append(verdict)
        elif not verdict.erased:
            done.elsewhere += 1


async def _open(cluster: Cluster, verdict: Verdict) -> Reopened:
    """At an epoch newer than any that the directory or this shard has named: never used before."""
    async with cluster.read() as connection:
        found = await whole_tenant.residence(connection, verdict.client_id)
    epoch = _epoch(verdict.directory)
    if found is None or not await open_again(cluster, found, max(epoch, found.epoch) + 1):
        raise Conflict(f"Client {verdict.client_id} is not there any more.")
    return Reopened(verdict.client_id, epoch, max(epoch, found.epoch) + 1)


def _epoch(place: str | None) -> int:
    return int((place or "@0").rpartition("@")[2])


async def _ahead(directory: Cluster, cluster: Cluster) -> AsyncIterator[tuple[Head, int]]:
    """Signed heads of what the restored shard has lost. They would make the log of every tenant who
    wrote in the last minute before the disaster look forged, for ever, and none would be signed
    again: so they are withdrawn, in the global audit log, where each of them stays readable."""
    after, last = UUID(int=0), UUID(int=2**128 - 1)
    while True:
        async with cluster.read() as connection:
            page = await census.residents(connection, Span(after, last, _TENANTS))
            tips = dict(await chain.tips(connection, after, _TENANTS))
        ends = {
            one.client_id: tips[one.client_id].seq if one.client_id in tips else 0
            for one in page
            if one.state == "open"
        }
        async with directory.read() as connection:
            newest = await audit_heads.newest(connection, list(ends))
            for client_id in (one for one, head in newest.items() if head.seq > ends[one]):
                for head in await audit_heads.of_chain(connection, client_id):
                    if head.seq > ends[client_id]:
                        yield head, ends[client_id]
        if len(page) < _TENANTS:
            return
        after = page[-1].client_id


async def _withdraw(connection: WriteConnection, head: Head, seq: int, order: Readdress) -> None:
    if not await adoptions.withdraw(connection, head):
        raise Conflict("An audit log was signed meanwhile: run it again.")
    before = {
        "seq": head.seq,
        "chain_hash": head.chain_hash.hex(),
        "signed_at": str(head.signed_at),
        "kid": str(head.kid),
        "signature": head.signature.hex(),
    }
    event = Event("audit.withdraw", "client", head.client_id, before, {"seq": seq})
    await record_global(connection, Origin(reason=order.reason), event, head.client_id)


def _names(verdict: Verdict) -> frozenset[str]:
    return frozenset({str(verdict.client_id), verdict.code or ""})

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from global_db import adoptions, shard_catalog
from global_db.adoptions import Reopened
from global_db.audit_heads import Head
from global_db.cluster import Cluster, NodeAddress, PoolLimits
from services.audit import Event, record_global
from services.errors import Conflict, NotFound
from services.failures import global_failures
from services.fleet.fencing import unfenced
from services.fleet.finding import Finding
from services.fleet.reconciliation import Verdict
from services.fleet.restored_fleet import Restored, open_restored, side_cluster
from services.fleet.shard_addresses import Readdress, told, write
from services.fleet.shards import entity_of
from services.fleet.unmet import Unmet
from services.fleet.withdrawn_heads import ahead, withdraw
from services.identity.principal import Origin
from services.settings import DatabaseRole, Settings
from shards import census, whole_tenant
from shards.adopted import open_again
from shards.registry import REVISIONS

_GLOBAL = "global"
_TOLD = 20


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


@dataclass(frozen=True, slots=True)
class Adoption:
    """Restored servers, by cluster at loopback ports, that are to take those clusters' places.

    `nodes` are addresses of shards that get other ones than they have. A person says of servers in
    `fenced` that they are off.
    """

    ports: Mapping[str, int]
    decisions: Decisions
    nodes: Mapping[str, Sequence[NodeAddress]] = field(default_factory=dict)
    fenced: frozenset[str] = frozenset()
    reason: str | None = None


async def adopt(settings: Settings, adoption: Adoption) -> Mapping[str, Settled]:
    """All of it but the start. Restored servers run apart meanwhile, at this code's schema.

    The directory is the restored one when the global cluster is among them, else the living one.

    Raises:
        Unmet: an old server may still take writes, or a tenant is not decided. Conflict, NotFound,
        StorageUnavailable, DirectoryUnavailable.
    """
    async with (
        open_restored(settings, adoption.ports) as restored,
        _directory(settings, adoption) as directory,
    ):
        present = await _addresses(directory, list(restored.shards))
        await _demand_fenced(settings, adoption, present)
        settled = await settle(restored, directory, adoption.decisions)
        for name, one in settled.items():
            nodes = adoption.nodes.get(name, present[name])
            order = Readdress(name, nodes, adoption.fenced, adoption.reason)
            await record(directory, one, order)
    return settled


def _directory(settings: Settings, adoption: Adoption) -> Cluster:
    """The directory as the administrator, who owns its tables."""
    port = adoption.ports.get(_GLOBAL)
    if port is not None:
        return side_cluster(settings, _GLOBAL, port, DatabaseRole.ADMIN)
    login = settings.login(DatabaseRole.ADMIN)
    return Cluster(_GLOBAL, settings.global_nodes, login, PoolLimits())


async def _addresses(directory: Cluster, names: list[str]) -> dict[str, Sequence[NodeAddress]]:
    with global_failures():
        async with directory.read() as connection:
            known = {one.name: one.nodes for one in await shard_catalog.registered(connection)}
    if missing := set(names) - known.keys():
        raise NotFound(f"The directory has no shard {min(missing)}.")
    return {name: known[name] for name in names}


async def _demand_fenced(
    settings: Settings, adoption: Adoption, present: Mapping[str, Sequence[NodeAddress]]
) -> None:
    """See `fencing`: what parts two copies of one cluster is that one of them does not run."""
    nodes = [node for name in present for node in present[name]]
    if _GLOBAL in adoption.ports:
        nodes += settings.global_nodes
    if found := await unfenced(nodes, adoption.fenced):
        raise Unmet("The servers of before are not all off.", found)


async def settle(
    restored: Restored, directory: Cluster, decisions: Decisions
) -> Mapping[str, Settled]:
    """Settle every tenant on restored shards; nothing is changed unless all are decided.

    `directory` is that of `restored`, as the administrator, who may read signed heads.

    Raises:
        Unmet: of some nothing was said, or what was said cannot be done.
    """
    await _demand_decided(restored, decisions)
    done = {name: Settled(name) for name in restored.shards}
    async for verdict in restored.verdicts():
        await _settle(restored, decisions, verdict, done[verdict.shard])
    for name, cluster in restored.shards.items():
        await _drop_streams(cluster)
        done[name].withdrawn = [one async for one in ahead(directory, cluster)]
    return done


async def record(directory: Cluster, settled: Settled, order: Readdress) -> None:
    """Write into the directory that the restored cluster is the shard now; all or nothing.

    Raises:
        Conflict: the directory has changed since it was settled. Unmet, NotFound,
        DirectoryUnavailable.
    """
    with global_failures():
        async with directory.write() as connection:
            before, after = await write(connection, order)
            await shard_catalog.set_revision(connection, order.name, REVISIONS.head)
            moves = await adoptions.depose_runners(connection, order.name)
            for one in settled.opened:
                if not await adoptions.reopen(connection, order.name, one):
                    raise Conflict(f"Client {one.client_id} has changed meanwhile: run it again.")
            for head, seq in settled.withdrawn:
                await withdraw(connection, head, seq, order.reason)
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


async def _drop_streams(cluster: Cluster) -> None:
    """What moves have left in the backup's catalogs: its subscriptions would take, from slots that
    live, what others are meant to get. Moves that are not over see another timeline and begin
    again."""
    async with cluster.read() as connection:
        found = await census.move_objects(connection)
    for one in found:
        await census.drop_object(cluster, one)


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
    client = verdict.code or str(verdict.client_id)
    state = f"{verdict.found} at {verdict.directory}"
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


def _names(verdict: Verdict) -> frozenset[str]:
    return frozenset({str(verdict.client_id), verdict.code or ""})

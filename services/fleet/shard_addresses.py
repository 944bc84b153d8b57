"""Where a shard's servers are: written at one place, under the lock of the shard's row.

Routers and workers hear of it by NOTIFY when it commits, or read it within seconds, and then open
the cluster anew; what they had asked of the old addresses fails or ends, as in a failover.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg.rows import dict_row

from global_db import shard_catalog
from global_db.cluster import Cluster, Login, NodeAddress, PoolLimits
from global_db.connection import WriteConnection
from global_db.probe import Place, Probe
from global_db.shard_catalog import Shard
from services.audit import Event, record_global
from services.errors import NotFound
from services.failures import global_failures
from services.fleet.fencing import unfenced
from services.fleet.finding import Finding
from services.fleet.restored_fleet import Restored
from services.fleet.shards import entity_of
from services.fleet.unmet import Unmet
from services.identity.principal import Origin
from services.resources import Data

_ANSWER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Readdress:
    """The addresses that a shard is to have. Nodes in `fenced` are off, as a person says."""

    name: str
    nodes: Sequence[NodeAddress]
    fenced: frozenset[str] = frozenset()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What servers said of themselves, by (host, port), at present addresses and at new ones."""

    old: Mapping[tuple[str, int], Place | None]
    new: Mapping[tuple[str, int], Place | None]


async def readdress(data: Data, mover: Data, order: Readdress) -> tuple[Shard, Shard]:
    """Give a shard that lives other addresses; answers it before and after.

    It is for servers that got other names, for a replica or a pooler that came or went, for a
    failover to a host that was not registered: one cluster, and at the new addresses its primary.
    A restored copy is another matter (`adoption`).

    Raises:
        Unmet: another cluster answers there, or the present primary would go on beside it.
        NotFound, DirectoryUnavailable.
    """
    await demand(data, mover, order)
    with global_failures():
        async with data.global_db.write() as connection:
            before, after = await write(connection, order)
            images = ({"nodes": told(before.nodes)}, {"nodes": told(after.nodes)})
            event = Event("shard.readdress", "shard", entity_of(order.name), *images)
            await record_global(connection, Origin(reason=order.reason), event)
        await data.registry.refresh()
    return before, after


async def demand(data: Data, mover: Data, order: Readdress) -> None:
    """Let pass what may be written; changes nothing.

    Raises:
        As `readdress`.
    """
    shard = await find(data, order.name)
    login = data.global_db.login
    old, new = await asyncio.gather(_ask(login, shard.nodes), _ask(login, order.nodes))
    found = list(judge(Answers(old, new)))
    silent = [node for node in shard.nodes if _at(node) not in new and old[_at(node)] is None]
    found += await unfenced(silent, order.fenced)
    if not found:
        found = await _strangers(mover, order)
    if found:
        raise Unmet(f"{order.name} cannot have these addresses.", found)


async def _strangers(mover: Data, order: Readdress) -> list[Finding]:
    """Whether the new addresses have the shard's tenants, as the directory has them: clusters that
    were copied from one template have one system identifier."""
    limits = PoolLimits(min_size=1, max_size=2)
    # Past poolers: they may not know these servers yet.
    nodes = [node.model_copy(update={"pooler": None}) for node in order.nodes]
    async with Cluster(order.name, nodes, mover.global_db.login, limits) as cluster:
        there = Restored(mover.global_db, {order.name: cluster})
        missing = [one async for one in there.verdicts() if one.waits]
    if not missing:
        return []
    first = missing[0]
    what = f"has {len(missing)} tenants other than the directory, such as {first.code}: {first.why}"
    return [
        Finding("the new primary", what, "see that it is this shard's, and no older copy of it")
    ]


async def find(data: Data, name: str) -> Shard:
    """A registered shard.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            known = await shard_catalog.registered(connection)
    for shard in known:
        if shard.name == name:
            return shard
    raise NotFound(f"There is no shard {name}.")


async def write(connection: WriteConnection, order: Readdress) -> tuple[Shard, Shard]:
    """Write the addresses, with the shard's row locked until the transaction ends.

    The caller tells the audit log of it.

    Raises:
        NotFound; Unmet: another shard has one of them.
    """
    await shard_catalog.one_at_a_time(connection)
    before = await shard_catalog.lock(connection, order.name)
    if before is None or before.status == "removed":
        raise NotFound(f"There is no shard {order.name}.")
    wanted = {_at(node) for node in order.nodes}
    for other in await shard_catalog.registered(connection):
        if other.name != order.name and wanted & {_at(node) for node in other.nodes}:
            what = f"has one of these addresses: {order.name} cannot have it, too"
            raise Unmet("Nothing was written.", [Finding(other.name, what, "look them up again")])
    after = await shard_catalog.set_nodes(connection, order.name, order.nodes)
    return before, after


def told(nodes: Sequence[NodeAddress]) -> list[str]:
    """Addresses in words, poolers too."""
    return [
        f"{node.name} {node.host}:{node.port}"
        + (f" by {node.pooler.host}:{node.pooler.port}" if node.pooler else "")
        for node in nodes
    ]


def judge(answers: Answers) -> list[Finding]:
    """Why addresses cannot be written. Pure.

    I3: whoever takes writes at an old address goes on doing so for as long as somebody has not
    heard of the new ones. So it has to be the very server that is found at a new address, or to be
    a replica. Servers prove that they are one by their life, which no two have.
    """
    found = []
    primaries = [one for one in answers.new.values() if one is not None and not one.standby]
    if len(primaries) != 1:
        what = "have no primary" if not primaries else "have several primaries"
        advice = "name the servers of one cluster, its present primary among them, that run"
        found.append(Finding("the new addresses", what, advice))
    systems = {one.system for one in answers.new.values() if one is not None}
    known = {one.system for one in answers.old.values() if one is not None}
    if len(systems) > 1 or (known and systems - known):
        advice = "a restored copy takes a shard's place by `docshard backup adopt`"
        found.append(Finding("the new addresses", "are of another cluster", advice))
    lives = {one.life for one in answers.new.values() if one is not None}
    for (host, port), place in answers.old.items():
        if place is not None and not place.standby and place.life not in lives:
            what = "takes writes, and is not among the new addresses"
            advice = "stop it first, or name it, too; `docshard shard switchover` changes primaries"
            found.append(Finding(f"{host}:{port}", what, advice))
    return found


async def _ask(login: Login, nodes: Sequence[NodeAddress]) -> dict[tuple[str, int], Place | None]:
    places = await asyncio.gather(*(_place(login, node) for node in nodes))
    return {_at(node): place for node, place in zip(nodes, places, strict=True)}


async def _place(login: Login, node: NodeAddress) -> Place | None:
    probe = Probe(login.direct(node), {"autocommit": True, "row_factory": dict_row})
    try:
        return await probe.ask(_ANSWER_SECONDS)
    finally:
        await probe.close()


def _at(node: NodeAddress) -> tuple[str, int]:
    return node.host, node.port

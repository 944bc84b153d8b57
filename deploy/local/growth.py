"""The local fleet grows by one cluster while it runs, and loses one that was removed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence

from deploy.errors import Refused
from deploy.fleet.environment import node_addresses
from deploy.fleet.model import Cluster
from deploy.fleet.planning import shard_name, shard_number
from deploy.fleet.settings import FleetSettings
from deploy.local.checklist import Checklist
from deploy.local.down import stop_all
from deploy.local.home import Home, State
from deploy.local.parts import Parts, existing_parts, parts_of
from deploy.local.planning import grow_state, shrink_state
from deploy.local.servers import Server
from deploy.local.up import keep_settled, raise_cluster
from services.fleet.shards import NodeAddress


def next_shard(state: State, taken: set[str], wished: str | None) -> str:
    """The name of the cluster to start: the next number, or the one that an attempt left behind.

    `taken` are the names that the catalog knows, of removed shards too.

    Raises:
        Refused: another one was wished for that is not free.
    """
    own = {shard.name for shard in state.fleet.shards}
    begun = sorted(own - taken, key=shard_number)
    numbers = [shard_number(name) for name in own | taken] + list(state.absent)
    free = begun[0] if begun else shard_name(max(numbers, default=0) + 1)
    if wished not in (None, free):
        raise Refused(
            f"The local fleet's next shard is {free}, not {wished}.",
            "Numbers count upwards, and none is used twice.",
            "Give no name; with --node you may name a cluster that stands elsewhere.",
        )
    return free


def grow(home: Home, settings: FleetSettings, name: str, checklist: Checklist) -> Cluster:
    """Start a cluster of this name beside the others, with its roles; it is not registered yet.

    Raises:
        UsageFault, OperatorError: what runs stays, and growing again goes on from there.
    """
    before = home.require()
    state = grow_state(home, settings, shard_number(name))
    asyncio.run(raise_cluster(parts_of(home, state), name, checklist))
    keep_settled(home, before, state)
    return next(cluster for cluster in state.fleet.shards if cluster.name == name)


def shrink(home: Home, name: str, checklist: Checklist) -> list[str]:
    """Stop a removed shard's servers; they leave etcd and the model, their data stays: where, is
    answered.

    Raises:
        OperatorError: shrinking again goes on from there.
    """
    parts = existing_parts(home)
    before = parts.site.state
    if name not in parts.clusters:
        return []
    stop_all(_servers(parts, name), checklist)
    for member in parts.etcd[:1]:  # what one of them takes away, all do
        with checklist.part(f"{member.name}: keys of {name}"):
            member.forget(name)
    # The model last: by it an attempt that broke off is found again.
    keep_settled(home, before, shrink_state(home, name))
    return [str(parts.site.data(server.name)) for server in parts.clusters[name]]


def require_own(home: Home, directory: Sequence[NodeAddress]) -> State:
    """The fleet of this home, if `directory` is its global database: only such a one can grow.

    Raises:
        NotFound: there is no fleet. Refused: the environment names another installation.
    """
    state = home.require()
    if not is_own(state, directory):
        raise Refused(
            f"The environment names another installation than the fleet in {home.path}.",
            "Only a local fleet starts clusters of its own.",
            "With --node you add a cluster that stands already; or unset DOCSHARD_GLOBAL_NODES.",
        )
    return state


def runs_here(home: Home, directory: Sequence[NodeAddress], name: str) -> bool:
    """Whether a shard of that directory is one of this home's own clusters."""
    state = home.load()
    if state is None or not is_own(state, directory):
        return False
    return any(shard.name == name for shard in state.fleet.shards)


def planned(home: Home, name: str) -> list[str]:
    """The names of the parts that growing by this shard would start."""
    shape = home.require().fleet.global_cluster
    parts = [*(node.name for node in shape.nodes), *(pooler.name for pooler in shape.poolers)]
    return [part.replace(shape.name, name, 1) for part in parts]


def addresses(cluster: Cluster) -> list[NodeAddress]:
    """Its nodes as the directory writes them down."""
    return [NodeAddress.model_validate(node) for node in node_addresses(cluster)]


def free_bytes(state: State) -> int:
    """Free bytes of the disk that the servers write to."""
    return shutil.disk_usage(state.data).free


def is_own(state: State, directory: Sequence[NodeAddress]) -> bool:
    """Whether that directory is the fleet's own global database."""
    own = {(node.host, node.port) for node in addresses(state.fleet.global_cluster)}
    return {(node.host, node.port) for node in directory} == own


def _servers(parts: Parts, name: str) -> list[Server]:
    poolers = [pooler for pooler in parts.poolers if pooler.cluster.name == name]
    return [*poolers, *parts.clusters[name]]

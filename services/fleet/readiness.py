"""Whether this process can serve, and what is away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.errors import KeysUnavailable
from services.keys.material import Purpose
from services.resources import Data, Resources
from shards.registry import ShardBehind, UnknownShard

State = Literal["ready", "read_only", "away", "behind"]
"""`read_only`: no primary, and a replica that answers."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """`directory` and each shard as they were at the last look; nothing is asked anew."""

    ready: bool
    directory: State
    shards: dict[str, State]


def readiness(resources: Resources) -> Readiness:
    """Tell what is known.

    Ready is who holds keys, has a directory or remembers placements that still count, and has a
    shard to go to (or none to go to yet), be it for reads: one shard that is away concerns its own
    tenants and not the others.
    """
    data = resources.data
    directory: State = "ready" if data.global_db.available else "away"
    shards = {shard.name: _state(data, shard.name) for shard in data.registry.shards()}
    knows_the_way = directory == "ready" or data.placements.usable
    has_somewhere_to_go = not shards or not {"ready", "read_only"}.isdisjoint(shards.values())
    ready = knows_the_way and has_somewhere_to_go and _has_keys(resources)
    return Readiness(ready, directory, shards)


def _state(data: Data, name: str) -> State:
    try:
        cluster = data.registry.cluster(name)
        if cluster.available:
            return "ready"
        return "read_only" if cluster.readable else "away"
    except ShardBehind:
        return "behind"
    except UnknownShard:
        return "away"


def _has_keys(resources: Resources) -> bool:
    try:
        resources.secrets.keyring.current(Purpose.TOKEN_SIGNING)
    except KeysUnavailable:
        return False
    return True

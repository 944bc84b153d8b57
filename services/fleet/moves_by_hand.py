"""Moves of clients that an operator names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

from global_db import candidates
from global_db.candidates import Candidate
from global_db.moves import Move, NewMove
from services.errors import Conflict, NotFound
from services.failures import global_failures
from services.fleet.move_orders import demand_open, order, writing
from services.fleet.planner.batching import MAX_TENANTS
from services.fleet.planner.plan import Batch
from services.fleet.planner.prediction import Pace, Weight, predict
from services.fleet.planning import present_pace
from services.fleet.shards import as_id, client_named
from services.ids import new_id
from services.resources import Data

__all__ = ["Batch"]

_SHOWN: Final = 10


async def plan_by_hand(data: Data, names: Sequence[str], target: str) -> list[Batch]:
    """The batches that bring these clients, by id or code, to `target`, and what they will take.

    An id names a deleted client, too: its rows have to live somewhere.

    Raises:
        NotFound: a client, or the shard. Conflict: a client is pinned, is moving, or is there
            already; or the shard takes nobody. DirectoryUnavailable.
    """
    ids = [await _client_id(data, name) for name in names]
    pace = await present_pace(data)
    with global_failures():
        async with data.global_db.read() as connection:
            await demand_open(connection, target)
            seen = await candidates.seen(connection, ids)
    wanted = [_demand_known(seen, client_id) for client_id in dict.fromkeys(ids)]
    _demand_free(wanted, target)
    return [_batch(chunk, target, pace) for chunk in _chunks(wanted)]


async def create(data: Data, batches: Sequence[Batch], reason: str | None) -> list[Move]:
    """Order these moves, all or none.

    Raises:
        Conflict, Busy: a client is not as it was when the batches were made. DirectoryUnavailable.
    """
    ids = [client_id for batch in batches for client_id in batch.clients]
    async with writing(data) as connection:
        seen = await candidates.seen(connection, ids)
        for target in {batch.target for batch in batches}:
            _demand_free(list(seen.values()), target)
        return [await order(connection, _by_hand(batch, seen, reason)) for batch in batches]


async def _client_id(data: Data, name: str) -> UUID:
    return as_id(name) or (await client_named(data, name)).id


def _demand_known(seen: Mapping[UUID, Candidate], client_id: UUID) -> Candidate:
    if client_id not in seen:
        raise NotFound(f"There is no client {client_id}.")
    return seen[client_id]


def _demand_free(wanted: Sequence[Candidate], target: str) -> None:
    faults = [f"{one.code} {why}" for one in wanted if (why := _obstacle(one, target))]
    if faults:
        more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise Conflict(f"Not all clients can be moved: {', '.join(faults[:_SHOWN])}{more}.")


def _obstacle(one: Candidate, target: str) -> str | None:
    if one.shard == target:
        return f"is on {target} already"
    if one.moving:
        return "is being moved"
    if one.erasing:
        return "is being erased"
    return "is pinned (`docshard client unpin`)" if one.pinned else None


def _chunks(wanted: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    """By source, no more in one than a batch holds."""
    for source in sorted({one.shard for one in wanted}):
        there = [one for one in wanted if one.shard == source]
        for start in range(0, len(there), MAX_TENANTS):
            yield there[start : start + MAX_TENANTS]


def _batch(chunk: Sequence[Candidate], target: str, pace: Pace) -> Batch:
    weight = Weight(
        sum(one.rows or 0 for one in chunk),
        sum(one.bytes or 0 for one in chunk),
        sum(one.writes for one in chunk),
        known=all(one.rows is not None for one in chunk),
    )
    clients = tuple(one.client_id for one in chunk)
    foreseen = predict(weight, pace)
    return Batch(chunk[0].shard, target, clients, weight.rows, weight.bytes, foreseen)


def _by_hand(batch: Batch, seen: Mapping[UUID, Candidate], reason: str | None) -> NewMove:
    return NewMove(
        id=new_id(),
        source=batch.source,
        target=batch.target,
        clients={client_id: seen[client_id].epoch for client_id in batch.clients},
        predicted=batch.record(),
        reason=reason or "",
    )

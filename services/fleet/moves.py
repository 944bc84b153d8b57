"""Use cases of operators on single moves: look at one, end it, order it again, go back.

As with rebalances, wishes are written into the global database, and a worker carries them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from global_db import candidates, leftovers, move_endings, moves, rebalances
from global_db.connection import ReadConnection
from global_db.leftovers import Leftover
from global_db.move_endings import NotReversible
from global_db.move_tables import ENDED
from global_db.moves import Move, MovingClient, NewMove
from services.audit import Event
from services.errors import Conflict, NotFound
from services.failures import global_failures
from services.fleet.move_orders import demand_open, order, ordered, record, writing
from services.identity.principal import Caller, ordered_by
from services.ids import new_id
from services.resources import Data

__all__ = ["Leftover", "Move", "MovingClient"]


@dataclass(frozen=True, slots=True)
class Detail:
    """A move with its batch and what it has made on shards and not removed yet."""

    move: Move
    clients: Sequence[MovingClient]
    codes: Mapping[UUID, str]
    left: Sequence[Leftover]


async def newest(data: Data, limit: int) -> list[Move]:
    """The last moves, newest first.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return await moves.newest(connection, None, limit)


async def detail(data: Data, move_id: UUID) -> Detail:
    """Everything about one move.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            move = await _known(connection, move_id)
            batch = await moves.clients_of(connection, move_id)
            seen = await candidates.seen(connection, [one.client_id for one in batch])
            left = await leftovers.of_move(connection, move_id)
    return Detail(move, batch, {one.client_id: one.code for one in seen.values()}, left)


async def some(data: Data, ids: Sequence[UUID]) -> list[Move]:
    """These moves, as they are now.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            return [await _known(connection, move_id) for move_id in ids]


async def abort(
    data: Data, move_id: UUID, reason: str | None, caller: Caller | None = None
) -> Move:
    """Wish that a move ends before its switch: its clients stay where they are.

    Raises:
        NotFound; Conflict: it has switched or ended. DirectoryUnavailable.
    """
    async with writing(data) as connection:
        before = await _known(connection, move_id)
        if before.wish == "abort" and before.state not in ("switched", *ENDED):
            return before
        after = await moves.set_wish(connection, move_id, "abort")
        if after is None:
            raise Conflict(_why_no_abort(await _known(connection, move_id)))
        images = (
            {"state": before.state, "wish": before.wish},
            {"state": after.state, "wish": "abort"},
        )
        by = ordered_by(caller, reason)
        await record(connection, Event("move.abort", "move", move_id, *images), by)
    return after


async def retry(
    data: Data, move_id: UUID, reason: str | None, caller: Caller | None = None
) -> Move:
    """Order an aborted move again, with those of its clients that still live on its source.

    Raises:
        NotFound; Conflict: it was not aborted, was retried before, or nobody is left to move.
        DirectoryUnavailable.
    """
    async with writing(data) as connection:
        old = await _known(connection, move_id)
        if old.state != "aborted":
            raise Conflict(f"The move is {old.state}; only an aborted one is retried.")
        batch = await moves.clients_of(connection, move_id)
        seen = await candidates.seen(connection, [one.client_id for one in batch])
        epochs = {
            one.client_id: one.epoch
            for one in seen.values()
            if one.shard == old.source and not (one.pinned or one.moving or one.erasing)
        }
        if not epochs:
            raise Conflict(f"None of its clients is free and on {old.source} any more.")
        await demand_open(connection, old.target)
        again = _again(old, epochs, await _living_rebalance(connection, old), reason)
        return await order(connection, again, "retry", caller)


async def reverse(
    data: Data, move_id: UUID, reason: str | None, caller: Caller | None = None
) -> Move:
    """Order the way back of a switched move, fed by the changes since: nothing is lost.

    Raises:
        NotFound; Conflict: it has not switched, or its grace is over. DirectoryUnavailable.
    """
    async with writing(data) as connection:
        old = await _known(connection, move_id)
        batch = await moves.clients_of(connection, move_id)
        back = NewMove(
            id=new_id(),
            source=old.target,
            target=old.source,
            clients={one.client_id: one.epoch + 1 for one in batch if not one.ended},
            reason=reason or "",
            reverses=old.id,
        )
        try:
            made = await move_endings.reverse(connection, back)
        except NotReversible as error:
            raise Conflict(_why_no_way_back(old)) from error
        await record(connection, ordered(made, back, "reverse"), ordered_by(caller, reason))
    return made


def _why_no_abort(move: Move) -> str:
    if move.state == "switched":
        return "The move has switched: `docshard move reverse` brings its clients back."
    return f"The move has ended: it is {move.state}."


def _why_no_way_back(move: Move) -> str:
    if move.state == "switched":
        return "The grace is over: what was left on the source is being swept."
    if move.state == "swept":
        return "The move has ended: move its clients with `docshard move create`."
    return f"The move is {move.state}: only a switched one is reversed; abort it instead."


async def _living_rebalance(connection: ReadConnection, old: Move) -> UUID | None:
    """The move's rebalance, unless it has ended: that one would run nothing more."""
    if old.rebalance_id is None:
        return None
    found = await rebalances.get(connection, old.rebalance_id)
    return None if found is None or not found.living else found.id


def _again(
    old: Move, epochs: Mapping[UUID, int], rebalance_id: UUID | None, reason: str | None
) -> NewMove:
    return NewMove(
        id=new_id(),
        source=old.source,
        target=old.target,
        clients=epochs,
        rebalance_id=rebalance_id,
        position=old.position,
        predicted=old.predicted,
        reason=reason or "",
        retries=old.id,
    )


async def _known(connection: ReadConnection, move_id: UUID) -> Move:
    found = await moves.get(connection, move_id)
    if found is None:
        raise NotFound(f"There is no move {move_id}.")
    return found

"""How far a rebalance is, and what the last ones took beside what was foreseen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from global_db import moves, rebalances
from global_db.connection import ReadConnection
from global_db.moves import Move
from global_db.rebalances import Rebalance
from services.errors import NotFound
from services.failures import global_failures
from services.fleet.move_eta import Circumstances
from services.fleet.move_overview import Overview, overview
from services.fleet.move_progress import switch_seconds
from services.fleet.rebalances import RunLimits
from services.resources import Data

__all__ = ["Rebalance"]

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Standing:
    """A rebalance and its moves as they are at one moment."""

    rebalance: Rebalance
    overview: Overview
    limits: RunLimits


@dataclass(frozen=True, slots=True)
class Record:
    """What a rebalance took, beside what was foreseen. None: nothing is switched yet.

    `seconds`: from its start to the last switch, pauses of the operator's included; `pause_ms`: of
    the batch that was worst off.
    """

    rebalance: Rebalance
    moves: int
    states: Mapping[str, int]
    seconds: float | None
    pause_ms: float | None
    rows: int
    bytes: int


async def standing(data: Data, rebalance_id: UUID | None = None) -> Standing:
    """A rebalance and how far it is; the living one, else the last, unless one is named.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            found = await _wanted(connection, rebalance_id)
            rows = await _moves_of(connection, found.id)
    limits = RunLimits.stored(found.settings)
    around = Circumstances(
        datetime.now(UTC),
        limits.at_once,
        limits.grace_seconds,
        paused=found.state == "paused",
        retrying=found.living,
    )
    return Standing(found, overview(rows, around), limits)


async def history(data: Data, most: int) -> list[Record]:
    """The last rebalances, newest first, each with what it took.

    Raises:
        DirectoryUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            found = await rebalances.newest(connection, most)
            return [recorded(one, await _moves_of(connection, one.id)) for one in found]


def recorded(rebalance: Rebalance, ordered: Sequence[Move]) -> Record:
    """What its moves took. Pure."""
    switched = [move for move in ordered if switch_seconds(move) is not None]
    ends = [move.switched_at for move in switched if move.switched_at is not None]
    pauses = [float(move.actual["pause_ms"]) for move in switched if "pause_ms" in move.actual]
    return Record(
        rebalance,
        len(ordered),
        dict(Counter(move.state for move in ordered)),
        (max(ends) - rebalance.created_at).total_seconds() if ends else None,
        max(pauses, default=None),
        sum(int(move.actual.get("rows", 0)) for move in switched),
        sum(int(move.actual.get("bytes", 0)) for move in switched),
    )


async def _wanted(connection: ReadConnection, rebalance_id: UUID | None) -> Rebalance:
    if rebalance_id is not None:
        found = await rebalances.get(connection, rebalance_id)
    else:
        last = await rebalances.newest(connection, 1)
        found = await rebalances.living(connection) or (last[0] if last else None)
    if found is None:
        raise NotFound("There is no such rebalance." if rebalance_id else "There was no rebalance.")
    return found


async def _moves_of(connection: ReadConnection, rebalance_id: UUID) -> list[Move]:
    found: list[Move] = []
    while True:
        after = found[-1] if found else None
        page = await moves.of_rebalance(connection, rebalance_id, after, _PAGE)
        found += page
        if len(page) < _PAGE:
            return found

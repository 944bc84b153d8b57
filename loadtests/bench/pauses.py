"""The pause of a move as its tenant's writers see it, and as the move tells it."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from loadtests.bench.callers import Caller, Seen
from loadtests.bench.fleet import Fleet
from loadtests.bench.mover import Moved, Mover, homes, other
from loadtests.results import aligned

PAUSE_P50_MS, PAUSE_P99_MS = 25, 100
AT_A_TIME = 2
_WARM_SECONDS = 0.5  # the first request of a caller connects, and its key is looked up
_STEADY_SECONDS = 1.0
_BEHIND_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Pause:
    """One move: what its tenant's writer saw before it, and around its switch."""

    steady: Seen
    moving: Seen
    move: Moved


async def measure_pauses(
    fleet: Fleet, mover: Mover, callers: Sequence[Caller], rate: float
) -> list[Pause]:
    """Move each caller's tenant to the other shard, a few at a time, while they write."""
    found: list[Pause] = []
    port = urlsplit(fleet.target.api).port or 80
    at_home = await asyncio.to_thread(homes, fleet, [one.client_id for one in callers])
    for start in range(0, len(callers), AT_A_TIME):
        some = callers[start : start + AT_A_TIME]
        targets = [other(at_home[one.client_id]) for one in some]
        found += await _move_under_load(port, mover, some, targets, rate)
    return found


async def _move_under_load(
    port: int, mover: Mover, callers: Sequence[Caller], targets: Sequence[str], rate: float
) -> list[Pause]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for caller in callers:
            group.create_task(caller.write(port, rate, stop))
        await asyncio.sleep(_WARM_SECONDS)
        began = time.time()
        await asyncio.sleep(_STEADY_SECONDS)
        steady = time.time()
        orders = [
            asyncio.to_thread(mover.order, [one.client_id], target)
            for one, target in zip(callers, targets, strict=True)
        ]
        ids = [move for made in await asyncio.gather(*orders) for move in made]
        moved = await mover.until(ids, "switched", "swept")
        await asyncio.sleep(_BEHIND_SECONDS)
        stop.set()
    return [
        Pause(one.seen(began, steady), one.seen(*_around(move)), move)
        for one, move in zip(callers, moved, strict=True)
    ]


def _around(move: Moved) -> tuple[float, float]:
    """From a little before the fence to a little behind the switch: about as long as what is
    called steady."""
    fenced = move.switched - move.pause_ms / 1000
    return fenced - _BEHIND_SECONDS, move.switched + _BEHIND_SECONDS


def pause_table(pauses: Sequence[Pause]) -> str:
    """All that was measured, in milliseconds."""
    took = [one.move.switch_ms for one in pauses]
    steps = list(dict.fromkeys(name for one in took for name in one))
    rows = [
        ("longest write, before the move", [one.steady.longest_ms for one in pauses]),
        ("longest write, around the switch", [one.moving.longest_ms for one in pauses]),
        ("longest gap between writes, before", [one.steady.gap_ms for one in pauses]),
        ("longest gap between writes, around", [one.moving.gap_ms for one in pauses]),
        ("fence to opening, as the move tells it", [one.move.pause_ms for one in pauses]),
        *((f"  {step}", [one[step] for one in took if step in one]) for step in steps),
    ]
    head = (f"{len(pauses)} moves, ms", "p50", "p99", "max")
    return aligned([head, *((name, *_quantiles(values)) for name, values in rows)])


def missed_pauses(pauses: Sequence[Pause]) -> Iterator[str]:
    """Which goals were missed: the pause is the longest time that a write took from when it was
    due, around the switch."""
    for part, goal in ((0.5, PAUSE_P50_MS), (0.99, PAUSE_P99_MS)):
        found = quantile([one.moving.longest_ms for one in pauses], part)
        if found > goal:
            yield f"the pause's p{100 * part:.0f} is {found:.0f} ms, the goal is {goal} ms"


def quantile(values: Sequence[float], part: float) -> float:
    """The nearest one."""
    return sorted(values)[round(part * (len(values) - 1))]


def _quantiles(values: Sequence[float]) -> Iterator[str]:
    for part in (0.5, 0.99, 1.0):
        yield f"{quantile(values, part):.1f}"

"""How fast a move copies: no faster than it may, and slower while others suffer.

Long steps pass a gate about every MiB. The gate hears wishes, spends from the move's allowance of
bytes, waits while a standby is far behind (its WAL is ours, in the main), and gives way in
proportion to how slowly the two servers answer a question that should take no time.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from global_db import move_runs
from global_db.cluster import Cluster, Role
from services.fleet.moving.run import Run
from shards.copying import claims

_LOOK_SECONDS = 1.0
_STANDBY_SECONDS = 0.5
# A server that is well answers in a few milliseconds; whoever waits longer has company.
_SLOW_SECONDS = 0.05
_YIELD_FACTOR = 10
_LONGEST_YIELD_SECONDS = 2.0


@dataclass
class Allowance:
    """Bytes that may be spent, so many a second, saved for one second at most. Pure."""

    bytes_per_second: int | None
    _spent_until: float = 0.0

    def wait(self, spent: int, now: float) -> float:
        """Seconds to wait after spending so many bytes at `now` (seconds of any clock)."""
        if self.bytes_per_second is None:
            return 0.0
        since = max(self._spent_until, now - 1.0)
        self._spent_until = since + spent / self.bytes_per_second
        return max(self._spent_until - now, 0.0)


@dataclass
class Throttle:
    """The gate of one run."""

    run: Run
    totals: dict[str, int] = field(default_factory=dict)
    _done: dict[str, int] = field(default_factory=lambda: {"rows": 0, "bytes": 0})
    _looked_at: float = 0.0
    _held: bool = False
    _allowance: Allowance = field(init=False)

    def __post_init__(self) -> None:
        self._allowance = Allowance(self.run.terms.bytes_per_second)

    async def gate(self, rows: int, size: int) -> None:
        """Pass with what was done since the last time; waits as long as it should.

        Raises:
            Stopped, AbortWished, Superseded, ClusterError.
        """
        await self.run.check()
        self._done["rows"] += rows
        self._done["bytes"] += size
        await asyncio.sleep(self._allowance.wait(size, time.monotonic()))
        if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
            await self._look()
            self._looked_at = time.monotonic()

    async def _look(self) -> None:
        await report(self.run, **self._done, **self.totals, held=None)
        for cluster in (self.run.source, self.run.target):
            await self._let_standbys_follow(cluster)
            await self._give_way(cluster)
        if self._held:
            await report(self.run, held=None)
            self._held = False

    async def _let_standbys_follow(self, cluster: Cluster) -> None:
        while (lag := standby_lag(cluster)) > self.run.terms.standby_lag_bytes:
            await self._hold(f"a standby of {cluster.name} is {lag} bytes behind", _STANDBY_SECONDS)

    async def _give_way(self, cluster: Cluster) -> None:
        asked = time.monotonic()
        await claims.place(cluster)
        took = time.monotonic() - asked
        if took > _SLOW_SECONDS:
            seconds = min(took * _YIELD_FACTOR, _LONGEST_YIELD_SECONDS)
            await self._hold(f"{cluster.name} takes {took * 1000:.0f} ms to answer", seconds)

    async def _hold(self, reason: str, seconds: float) -> None:
        """Wait; meanwhile the move's progress tells why."""
        self._held = True
        await report(self.run, held=reason)
        await self.run.check()
        await asyncio.sleep(seconds)


def standby_lag(cluster: Cluster) -> int:
    """How many bytes the slowest answering standby is behind, as the last look at it told."""
    primary = cluster.primary().place
    behind = [
        primary.lsn - node.place.lsn
        for node in cluster.nodes
        if primary is not None and node.role is Role.REPLICA and node.place is not None
    ]
    return max(behind, default=0)


async def report(run: Run, **progress: Any) -> None:
    """Write how far the move is, for people.

    Raises:
        Superseded, ClusterError.
    """
    async with run.recording() as connection:
        run.move = await move_runs.note(
            connection, run.move, progress=progress | {"at": datetime.now(UTC).isoformat()}
        )

"""What the console's pages of one process share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from router.console import rendering
from router.console.lag import LagTrack
from router.console.live import Live
from router.console.router_work import RouterMeter, RouterWork
from router.figures_page import FiguresPage
from router.settings import ConsoleSettings
from services.errors import NotFound, ServiceError
from services.fleet.operators import OperatorsData
from services.fleet.rebalance_standing import Standing, standing
from services.fleet.statistics import ShardStatistics, shard_statistics
from services.resources import Data, Resources

_STATISTICS_SECONDS: Final = 15.0
"""Sums over all clients read each of their rows: so often at most."""


@dataclass(frozen=True, slots=True)
class _Known:
    at: float
    statistics: Mapping[str, ShardStatistics]


class Desk:
    """Resources, and what was seen of late."""

    def __init__(
        self,
        resources: Resources,
        settings: ConsoleSettings,
        operators: OperatorsData,
        figures: FiguresPage,
    ) -> None:
        self.resources = resources
        self.settings = settings
        self.live = Live(settings.look_seconds, settings.streams, _fault)
        self.lags = LagTrack()
        self.planning = asyncio.Semaphore(1)
        """Plans are large: one at a time."""
        self._operators = operators
        self._figures = figures
        self._meter = RouterMeter()
        self._known: _Known | None = None
        self._summing = asyncio.Lock()

    @property
    def open(self) -> bool:
        """Whether this process has a console."""
        return self.settings.enabled and self._operators.possible

    async def data(self) -> Data:
        """The databases as operators' commands have them."""
        return await self._operators.get()

    def work(self) -> RouterWork | None:
        """What all processes of this router do; None until it was looked at twice."""
        now = time.monotonic()
        if self._meter.due(now):
            try:
                self._meter.seen(now, self._figures.families())
            except OSError:
                # No room where processes write their figures: who writes them all the time logs
                # that, and the rest of the page is wanted the more.
                self._meter = RouterMeter()
        return self._meter.work

    async def statistics(self) -> Mapping[str, ShardStatistics]:
        """Sums of each shard, some seconds old at most; all who look share them.

        Raises:
            DirectoryUnavailable.
        """
        async with self._summing:
            known, now = self._known, time.monotonic()
            if known is None or now - known.at > _STATISTICS_SECONDS:
                known = self._known = _Known(now, await shard_statistics(await self.data()))
        return known.statistics

    async def rebalance(self) -> Standing | None:
        """The rebalance that lives, else the last; None when there was none.

        Raises:
            DirectoryUnavailable.
        """
        try:
            return await standing(await self.data())
        except NotFound:
            return None


def _fault(error: ServiceError | None) -> str:
    detail = "Something failed here; the log says what." if error is None else error.detail
    return rendering.text("_fault.html.j2", {"detail": detail})


@asynccontextmanager
async def open_desk(
    resources: Resources, settings: ConsoleSettings, figures: FiguresPage
) -> AsyncIterator[Desk]:
    """The desk until the block ends."""
    async with AsyncExitStack() as stack:
        desk = Desk(resources, settings, OperatorsData(resources, stack), figures)
        stack.push_async_callback(desk.live.close)
        yield desk

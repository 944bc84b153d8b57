"""Asks the nodes of a cluster again and again, each by itself: one that hangs delays no other.

A node is asked once a second while all is well and four times a second while the cluster has no
primary. While reads may go to replicas every node is asked every 100 ms, so that what is known of
replicas is that old; an idle fleet is left in peace.

One that is away is asked four times a second at first, and less and less often, so that a shard
that is gone for good costs next to nothing: in the end every two seconds, and never later than by a
tenth of the time that it was away. Whoever finds no primary has all nodes asked at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from global_db.node import Node, Role

_log = logging.getLogger(__name__)
_CALM_SECONDS = 1.0
_ALARMED_SECONDS = 0.25
_BUSY_SECONDS = 0.1
_AWAY_SHARE = 0.1
_AWAY_SECONDS = 2.0
# Reads are wanted until nobody has asked for one so long.
_WANTED_SECONDS = 1.0


class Poller:
    """The tasks that ask. `on_answer` is called after each answer, or lack of one."""

    def __init__(
        self,
        nodes: Sequence[Node],
        has_primary: Callable[[], bool],
        on_answer: Callable[[Node], None],
    ) -> None:
        self._nodes = nodes
        self._has_primary = has_primary
        self._on_answer = on_answer
        self._wanted_until = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str) -> None:
        """Begin to ask."""
        self._tasks = [
            asyncio.create_task(self._watch(node), name=f"watch {name} {node.address.name}")
            for node in self._nodes
        ]

    async def stop(self) -> None:
        """Ask no more."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def want(self) -> None:
        """Reads may go to replicas now: their places are wanted fresh."""
        now = time.monotonic()
        if now >= self._wanted_until:
            self.ring()
        self._wanted_until = now + _WANTED_SECONDS

    def ring(self) -> None:
        """Have every node asked now, those that are away among them."""
        for node in self._nodes:
            node.alarm.set()

    async def ask(self, node: Node) -> None:
        """Ask one node now."""
        await node.probe()
        self._on_answer(node)

    async def _watch(self, node: Node) -> None:
        answered = time.monotonic()
        while True:
            node.alarm.clear()
            try:
                await self.ask(node)
            except Exception:
                # Whatever it is, the node is asked again: nobody else would find out (I10).
                _log.exception("%s could not be asked", node.address.name)
            if node.role is not Role.DOWN:
                answered = time.monotonic()
            # Whatever rings: no node is asked more often than this.
            await asyncio.sleep(_BUSY_SECONDS)
            with contextlib.suppress(TimeoutError):
                away = time.monotonic() - answered
                async with asyncio.timeout(self._further_pause(node, away)):
                    await node.alarm.wait()

    def _further_pause(self, node: Node, away: float) -> float:
        if node.role is Role.DOWN:
            return pause_while_away(away)
        if time.monotonic() < self._wanted_until:
            return 0
        return _CALM_SECONDS if self._has_primary() else _ALARMED_SECONDS


def pause_while_away(away: float) -> float:
    """Seconds until a node is asked again that has not answered for `away` seconds."""
    return min(max(away * _AWAY_SHARE, _ALARMED_SECONDS), _AWAY_SECONDS)

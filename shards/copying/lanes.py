"""Work done a few pieces side by side, each lane with connections of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

L = TypeVar("L")
W = TypeVar("W")


async def in_lanes(
    lanes: int,
    open_lane: Callable[[], AbstractAsyncContextManager[L]],
    pieces: Iterable[W],
    work: Callable[[L, W], Awaitable[None]],
) -> None:
    """Do every piece once, in their order, by so many lanes; the first error ends all lanes."""
    waiting = iter(pieces)

    async def run() -> None:
        async with open_lane() as lane:
            for piece in waiting:
                await work(lane, piece)

    await together(run() for _ in range(lanes))


async def together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all of them; the first error ends the others and is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

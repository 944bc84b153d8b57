"""What is done every few seconds beside requests, and once more before the process ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

_LAST_WORDS_SECONDS = 2.0


@asynccontextmanager
async def repeating(
    work: Callable[[], Awaitable[None]], every_seconds: float
) -> AsyncIterator[None]:
    """Do the work again and again while the block lasts, and once more in the end.

    It deals with its own errors: one that it raises ends the repetition.
    """

    async def keep_working() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            await work()

    task = asyncio.create_task(keep_working())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await work()

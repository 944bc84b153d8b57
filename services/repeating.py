"""What is done every few seconds beside requests, and once more before the process ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from global_db.errors import ClusterError

_log = logging.getLogger(__name__)
_LAST_WORDS_SECONDS = 2.0


@asynccontextmanager
async def repeating(
    work: Callable[[], Awaitable[None]], loss: str, every_seconds: float
) -> AsyncIterator[None]:
    """Do the work again and again while the block lasts, and once more in the end.

    It deals with the errors that it expects. Any other is logged, with `loss`, which says what it
    means; requests go on, and so does the work: nobody would see that it had ended.
    """

    async def try_to_work() -> None:
        try:
            await work()
        except Exception:
            _log.exception("%s for %g s", loss, every_seconds)

    async def keep_working() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            await try_to_work()

    task = asyncio.create_task(keep_working())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await try_to_work()


@asynccontextmanager
async def telling(
    tell: Callable[[], Awaitable[int]], loss: str, every_seconds: float
) -> AsyncIterator[None]:
    """Repeat what tells the global database something that nothing depends on.

    What could not be told is lost; `loss` says what that means.
    """

    async def try_to_tell() -> None:
        try:
            await tell()
        except ClusterError as error:
            # No warning: the database's absence has its own, and its figures count this failure.
            _log.info("%s for %g s: %s", loss, every_seconds, error)

    async with repeating(try_to_tell, loss, every_seconds):
        yield

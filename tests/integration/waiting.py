"""Wait for what the servers say instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from global_db.connection import RawConnection

_POLL_SECONDS = 0.01


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    """Wait until the condition holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s")
        await asyncio.sleep(_POLL_SECONDS)


async def until_waiting(watcher: RawConnection, *pids: int, locktype: str | None = None) -> None:
    """Wait until each of these backends waits for a lock, of this type where one is named."""

    async def waits() -> bool:
        cursor = await watcher.execute(
            """
            SELECT count(DISTINCT pid) AS waiting FROM pg_locks
             WHERE NOT granted AND pid = ANY(%s) AND locktype = coalesce(%s::text, locktype)
            """,
            [list(pids), locktype],
        )
        row = await cursor.fetchone()
        return row is not None and row["waiting"] == len(pids)

    await until(waits)

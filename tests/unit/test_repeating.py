"""What is done beside requests goes on whatever happens to it, and is done once more in the end."""

from __future__ import annotations

import asyncio

import pytest

from global_db.errors import ConnectionLost
from services.repeating import repeating, telling


class Work:
    """Fails as it is told to, once for each failure."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.done = 0
        self.enough = asyncio.Event()

    async def __call__(self) -> int:
        if self._failures:
            raise self._failures.pop(0)
        self.done += 1
        self.enough.set()
        return 1


async def test_an_error_that_nobody_expected_is_logged_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = Work(OSError("no space left on device"))

    async def run() -> None:
        await work()

    async with asyncio.timeout(5), repeating(run, "nobody knows", 0.001):
        await work.enough.wait()
    assert "nobody knows for 0.001 s" in caplog.text
    assert "no space left on device" in caplog.text


async def test_an_absent_database_is_a_line_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    work = Work(ConnectionLost("global", "away"))
    async with asyncio.timeout(5), telling(work, "nothing is counted", 0.001):
        await work.enough.wait()
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("INFO", "nothing is counted for 0.001 s: global: away")
    ]


async def test_it_is_done_once_more_in_the_end() -> None:
    work = Work()
    async with telling(work, "", 3600):
        pass
    assert work.done == 1

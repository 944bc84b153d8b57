"""Bounded threads: what is too much is refused at once, and a place is given back when free."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from services.errors import Overloaded
from services.threads import BoundedThreads, Slots


@pytest.fixture
def threads() -> Iterator[BoundedThreads]:
    made = BoundedThreads("trial", threads=1, max_waiting=1)
    yield made
    made.close()


async def test_one_too_many_is_refused_and_a_free_place_is_used(threads: BoundedThreads) -> None:
    gate = threading.Event()
    running = asyncio.create_task(threads.run(gate.wait))
    waiting = asyncio.create_task(threads.run(gate.wait))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await threads.run(int)
    gate.set()
    assert await running
    assert await waiting
    assert await threads.run(max, 1, 2) == 2


async def test_a_cancelled_caller_frees_its_place_when_the_work_has_ended(
    threads: BoundedThreads,
) -> None:
    gate = threading.Event()
    tasks = [asyncio.create_task(threads.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
    gate.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await threads.run(max, 3, 4) == 4
                break
            except Overloaded:
                await asyncio.sleep(0.001)


async def test_errors_come_through(threads: BoundedThreads) -> None:
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)


def test_slots() -> None:
    slots = Slots("trials", 1)
    with slots.one(), pytest.raises(Overloaded):
        slots.take()
    with slots.one():
        pass

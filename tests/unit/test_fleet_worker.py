"""Timed jobs: rhythm, leases, failures and a clean stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deploy.worker import Job, Patience, Worker

QUICK = Patience(lease_seconds=0.01, first_retry_seconds=0.01, longest_retry_seconds=0.02)


class Held:
    """A lease, until it is lost."""

    lost = False

    async def alive(self) -> bool:
        return not self.lost


class Leases:
    """Leases as the database gives them: one holder for each name."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[Held | None]:
        if name in self.held:
            yield None
            return
        self.held[name] = Held()
        try:
            yield self.held[name]
        finally:
            del self.held[name]


async def until_stopped(worker: Worker, jobs: list[Job]) -> None:
    async with asyncio.timeout(5):
        await worker.work(jobs)


async def test_a_job_is_run_again_and_again_until_stopped() -> None:
    worker = Worker(Leases().hold, patience=QUICK)
    runs = 0

    async def count() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            worker.stop.set()

    await until_stopped(worker, [Job("count", 0.001, count)])
    assert runs == 3


async def test_a_failing_job_is_tried_again_and_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = Worker(Leases().hold, patience=QUICK)
    tries = others = 0

    async def fail_twice() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionError("the database went away")
        worker.stop.set()

    async def other() -> None:
        nonlocal others
        others += 1

    await until_stopped(worker, [Job("fails", 0.001, fail_twice), Job("other", 0.001, other)])
    assert tries == 3
    assert others > 1
    assert [record.message[:12] for record in caplog.records] == ["fails failed"] * 2


async def test_two_workers_never_run_one_job_at_once_and_the_second_takes_over() -> None:
    leases = Leases()
    first, second = (Worker(leases.hold, patience=QUICK) for _ in range(2))
    at_once = most = 0
    ran: list[str] = []

    def job(name: str, worker: Worker, enough: int) -> Job:
        async def run() -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1
            ran.append(name)
            if ran.count(name) == enough:
                worker.stop.set()

        return Job("sweep", 0.001, run)

    async with asyncio.TaskGroup() as group:
        group.create_task(until_stopped(first, [job("first", first, 3)]))
        group.create_task(until_stopped(second, [job("second", second, 2)]))
    assert most == 1
    assert ran == ["first"] * 3 + ["second"] * 2


async def test_a_lost_lease_is_asked_for_again() -> None:
    leases = Leases()
    worker = Worker(leases.hold, patience=QUICK)
    seen: list[Held] = []

    async def lose() -> None:
        seen.append(leases.held["sweep"])
        seen[-1].lost = True
        if len(seen) == 2:
            worker.stop.set()

    await until_stopped(worker, [Job("sweep", 0.001, lose)])
    assert seen[0] is not seen[1]


async def test_a_run_under_way_is_finished_before_stopping() -> None:
    worker = Worker(Leases().hold, patience=QUICK)
    finished = False

    async def slow() -> None:
        nonlocal finished
        worker.stop.set()
        await asyncio.sleep(0.05)
        finished = True

    await until_stopped(worker, [Job("slow", 60, slow)])
    assert finished


def test_waiting_after_failures_doubles_up_to_a_limit() -> None:
    waits = [Patience().after(failures) for failures in (1, 2, 3, 7, 500)]
    assert waits == [1, 2, 4, 60, 60]

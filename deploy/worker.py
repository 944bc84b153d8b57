"""The worker: runs timed jobs, each under a lease, so that any number of workers may run.

Whoever holds a job's lease runs it again and again until it stops or fails; the others wait for the
lease. A worker that dies loses its lease with its connection, and another takes over.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from deploy.backups.timely import take_due
from services.fleet import audit_heads, blob_canaries, blob_copy, restore_points, sweeps
from services.fleet.audit_links import Linker
from services.fleet.drills import canaries
from services.fleet.figures import EVERY_SECONDS as FIGURES_SECONDS
from services.fleet.figures import FleetFigures
from services.fleet.tenant_sizes import Measuring
from services.resources import Resources
from services.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Something to do every so many seconds; safe to do twice."""

    name: str
    every_seconds: float
    run: Callable[[], Awaitable[object]]


class Lease(Protocol):
    """The right to run one job."""

    async def alive(self) -> bool:
        """Whether it is still ours."""


# Opens to a lease of that name, or to None while another worker holds it.
Leases = Callable[[str], AbstractAsyncContextManager[Lease | None]]


def jobs(resources: Resources, figures: FleetFigures) -> list[Job]:
    """Every timed job of the service; what one of them finds out of the fleet goes to `figures`."""
    data, keyring = resources.data, resources.secrets.keyring
    linker, measuring = Linker(data), Measuring(data)
    timed = [
        Job("audit-links", 0.5, linker.run),
        Job("audit-heads", 60, lambda: audit_heads.sign_heads(data, keyring)),
        Job("partitions", 3600, lambda: sweeps.make_partitions(resources)),
        Job("audit-archive", 3600, lambda: sweeps.archive_months(resources)),
        Job("uploads", 60, lambda: sweeps.remove_expired_uploads(resources)),
        Job("purged-blobs", 3600, lambda: sweeps.remove_purged_blobs(resources)),
        Job("idempotency", 300, lambda: sweeps.remove_expired_idempotency_keys(resources)),
        Job("tenant-sizes", 1, measuring.run),
        Job("sessions", 600, lambda: sweeps.remove_expired_sessions(resources)),
        Job("figures", FIGURES_SECONDS, figures.run),
    ]
    backup = resources.settings.backup
    if backup.configured:
        point = partial(restore_points.make_automatic, resources)
        timed.append(Job("restore-points", backup.point_seconds, point))
        if backup.blob_copy is not None:
            sing = partial(blob_canaries.sing, resources)
            timed.append(Job("blob-canaries", blob_canaries.EVERY_SECONDS, sing))
        if backup.blob_copy is not None and backup.blob_copy_seconds:
            copy = partial(blob_copy.copy_missing, resources)
            timed.append(Job("blob-copy", backup.blob_copy_seconds, copy))
        if backup.timely:
            timed.append(Job("backups", 300, partial(_take_due, resources.settings)))
        timed.append(Job("canaries", canaries.EVERY_SECONDS, lambda: canaries.sing(data)))
    return timed


async def _take_due(settings: Settings) -> list[str]:
    return await asyncio.to_thread(take_due, settings.backup, datetime.now(UTC))


@dataclass(frozen=True)
class Patience:
    """How long to wait for a lease, and after failures."""

    lease_seconds: float = 5.0
    first_retry_seconds: float = 1.0
    longest_retry_seconds: float = 60.0

    def after(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row: doubling up to the longest."""
        return min(
            self.first_retry_seconds * 2.0 ** min(failures - 1, 16), self.longest_retry_seconds
        )


@dataclass(slots=True)
class JobTally:
    """Counts of one job since the process started."""

    runs: int = 0
    failures: int = 0
    seconds: float = 0.0
    """That runs which did not fail took, in all."""
    succeeded_at: float = 0.0
    """By the clock (seconds since 1970); 0: never yet."""

    def done(self, seconds: float) -> None:
        """Count a run that did not fail."""
        self.runs += 1
        self.seconds += seconds
        self.succeeded_at = time.time()


@dataclass
class Worker:
    """Runs jobs until `stop` is set; a run under way is finished first."""

    leases: Leases
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    patience: Patience = field(default_factory=Patience)
    tallies: defaultdict[str, JobTally] = field(default_factory=lambda: defaultdict(JobTally))
    """By job; of those that were ours at some time."""

    async def work(self, jobs: Iterable[Job]) -> None:
        """Run all jobs side by side until told to stop."""
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(self._keep(job), name=job.name)

    async def _keep(self, job: Job) -> None:
        failures = 0
        while not self.stop.is_set():
            try:
                async with self.leases(job.name) as lease:
                    if lease is not None:
                        await self._repeat(job, lease)
                failures = 0
                delay = self.patience.lease_seconds
            except Exception:
                # Whatever it is, the other jobs go on, and this one is tried again.
                failures += 1
                self.tallies[job.name].failures += 1
                delay = self.patience.after(failures)
                _log.exception("%s failed; next try in %.0f s", job.name, delay)
            await self._pause(delay)

    async def _repeat(self, job: Job, lease: Lease) -> None:
        """Run the job in its rhythm; an error gives the lease back."""
        while not self.stop.is_set() and await lease.alive():
            began = time.monotonic()
            result = await job.run()
            self.tallies[job.name].done(time.monotonic() - began)
            _log.debug("%s: %s", job.name, result)
            await self._pause(job.every_seconds)

    async def _pause(self, seconds: float) -> None:
        """Wait about that long, or until told to stop; never all workers at the same moment."""
        delay = seconds * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing
        try:
            async with asyncio.timeout(delay):
                await self.stop.wait()
        except TimeoutError:
            return

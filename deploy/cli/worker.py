"""`docshard worker`: timed jobs, in the foreground; any number of them may run."""

from __future__ import annotations

import asyncio
import logging
import signal
from functools import partial

import click

from deploy.cli.service import run_told, service_settings
from deploy.worker import Worker, jobs
from services.fleet import leases
from services.fleet.moving.service import run_moves
from services.resources import open_resources
from services.settings import DatabaseRole, Settings

_log = logging.getLogger(__name__)


@click.command()
def worker() -> None:
    """Run timed jobs, and moves of tenants, until told to stop.

    Each job and each move is leased, so any number of workers may run, on any machine that reaches
    the databases. Moves need DOCSHARD_MOVER_PASSWORD; a worker without it leaves them to others.
    """
    logging.basicConfig(
        force=True,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(process)d %(name)s %(message)s",
    )
    run_told(_work(service_settings()))


async def _work(settings: Settings) -> None:
    async with open_resources(settings, DatabaseRole.WORKER) as resources:
        running = Worker(partial(leases.hold, resources))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, running.stop.set)
        _log.info("the worker has started")
        async with asyncio.TaskGroup() as group:
            group.create_task(running.work(jobs(resources)), name="timed jobs")
            group.create_task(run_moves(resources, running.stop), name="moves")
        _log.info("the worker has stopped")

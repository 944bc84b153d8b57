"""`docshard worker`: timed jobs, in the foreground; any number of them may run."""

from __future__ import annotations

import asyncio
import logging
import signal
from functools import partial

import click

from deploy.cli.service import run_told, service_settings
from deploy.worker import Worker, jobs
from deploy.worker_figures import figures, figures_page
from services.fleet import leases
from services.fleet.figures import FleetFigures
from services.fleet.moving.service import run_moves
from services.logs.configuration import configure, secrets_of
from services.logs.redaction import Redactor
from services.resources import open_resources
from services.settings import DatabaseRole, Settings

_log = logging.getLogger(__name__)


@click.command()
def worker() -> None:
    """Run timed jobs, and moves of tenants, until told to stop.

    Each job and each move is leased, so any number of workers may run, on any machine that reaches
    the databases. Moves need DOCSHARD_MOVER_PASSWORD; a worker without it leaves them to others.
    With DOCSHARD_METRICS_PORT it tells figures there.
    """
    settings = service_settings()
    configure(settings.log, Redactor(secrets_of(settings)))
    run_told(_work(settings))


async def _work(settings: Settings) -> None:
    async with open_resources(settings, DatabaseRole.WORKER) as resources:
        running = Worker(partial(leases.hold, resources))
        fleet = FleetFigures(resources.data, settings)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, running.stop.set)
        async with figures_page(settings.metrics, partial(figures, resources, running, fleet)):
            _log.info("the worker has started")
            async with asyncio.TaskGroup() as group:
                group.create_task(running.work(jobs(resources, fleet)), name="timed jobs")
                group.create_task(run_moves(resources, running.stop), name="moves")
        _log.info("the worker has stopped")

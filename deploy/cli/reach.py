"""Work of commands that reach the rows of all tenants, keys and blobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from deploy.cli.service import run_told, service_settings
from deploy.errors import NotFound
from services.fleet.portability.layout import NotAnExport
from services.fleet.portability.reach import Reach, open_reach
from services.settings import Settings

T = TypeVar("T")


def with_reach(work: Callable[[Reach, Settings], Awaitable[T]]) -> T:
    """Run the work.

    Raises:
        OperatorError: what the services refused, in words for an operator.
    """

    async def run() -> T:
        settings = service_settings()
        async with open_reach(settings) as reach:
            return await work(reach, settings)

    try:
        return run_told(run())
    except NotAnExport as error:
        raise NotFound(str(error)) from error

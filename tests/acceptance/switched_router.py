"""`python -m tests.acceptance.bare_router`: a router that counts nothing and writes no line of a
request; what figures and logs cost is measured against it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import Scope
from uvicorn import Config

from global_db.tally import ClusterTally
from router.__main__ import server_options
from router.app import create_app
from router.context import RequestContext
from router.open_files import take_open_files
from router.settings import RouterSettings
from router.watch import Watch
from router.workers import serve
from services.settings import Settings


class Blind(Watch):
    """Sees no request."""

    def answered(self, scope: Scope, context: RequestContext) -> None:
        """Count nothing."""


class Silent(ClusterTally):
    """Counts no work."""

    def worked(self, asked: float, lent: float, *, on_replica: bool) -> None:
        """Count nothing."""


def app() -> FastAPI:
    made = create_app(Settings(), RouterSettings(), Blind())
    opening = made.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opening(app):
            data = app.state.edge.resources.data
            for cluster in (data.global_db, *data.registry.clusters()):
                cluster.tally = Silent()
            yield

    made.router.lifespan_context = lifespan
    return made


if __name__ == "__main__":
    # Served as the router is: what was loaded is frozen, and no garbage is looked for in it.
    options = server_options(RouterSettings(), take_open_files())
    serve(Config("tests.acceptance.bare_router:app", factory=True, **options))

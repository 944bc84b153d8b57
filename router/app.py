"""The application: all routes in their frame, with resources that live as long as it does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import BaseRoute

from router.console.desk import open_desk
from router.console.routes import ROUTES as CONSOLE
from router.edge import Opened, make_edge
from router.figures_page import open_page
from router.frame import assemble
from router.routes import (
    account,
    api_keys,
    audit_logs,
    batch,
    chains,
    clients,
    content,
    documents,
    health,
    identity,
    metrics,
    reports,
    roles,
    uploads,
    users,
)
from router.settings import RouterSettings
from router.watch import Watch, traces_of
from services.access.denials import recording
from services.logs.configuration import configure, open_request_log, secrets_of
from services.logs.redaction import Redactor
from services.resources import open_resources
from services.settings import Settings
from services.tenant.feed import FeedLimits, open_feed
from services.tenant.reads import read_log

# In the order of how often they are called: matching goes from the first to the last.
_PARTS = (
    *(documents, content, uploads, batch, audit_logs, chains),
    *(identity, clients, api_keys, users, roles, account, reports),
)


def all_routes() -> list[BaseRoute]:
    """Every route of the service except its documentation."""
    return [
        *(route for part in _PARTS for route in part.api.routes),
        *health.ROUTES,
        *metrics.ROUTES,
        *CONSOLE,
    ]


def create_app(
    settings: Settings, edge_settings: RouterSettings, watch: Watch | None = None
) -> FastAPI:
    """Make the application; nothing is opened before it starts."""
    watch = Watch() if watch is None else watch

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        waiting = FeedLimits(edge_settings.feed_waiting)
        with watch.opened():
            async with (
                open_resources(settings) as resources,
                read_log(resources) as reads,
                open_feed(resources.data, waiting) as feed,
                open_page(resources, watch.families) as page,
            ):
                opened = Opened(resources, reads, feed, page)
                edge = app.state.edge = make_edge(opened, edge_settings)
                async with (
                    recording(resources.data, edge.denials, edge_settings.denial_seconds),
                    open_desk(resources, edge_settings.console, page) as app.state.desk,
                ):
                    yield

    return assemble(all_routes(), lifespan, edge_settings.max_running, watch)


def from_environment() -> FastAPI:
    """Make the application of a worker process."""
    settings = Settings()
    redactor = Redactor(secrets_of(settings))
    configure(settings.log, redactor)
    watch = Watch(open_request_log(settings.log, redactor), traces_of(settings.traces))
    return create_app(settings, RouterSettings(), watch)

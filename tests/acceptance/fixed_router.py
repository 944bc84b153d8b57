"""`python -m tests.acceptance.fixed_router`: a router that knows who calls, what they may and where
they live; what routing, placement and the check of a token cost is measured against it.

It is made of the product's own parts, and reads documents otherwise as the product does. The first
read of a caller in a client is admitted by the route's own rule; every further one with the same
words has the same outcome, looked up in a dict. Placements are asked for once and stay. Shares of
requests, statements, the fence and everything else are as they are.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

from fastapi import FastAPI
from uvicorn import Config

from global_db.cluster import Cluster
from global_db.directory import Placement
from router.__main__ import server_options
from router.answers import Answer
from router.api import Api, Doc, Rule
from router.app import from_environment
from router.call import Call
from router.models.documents import DocumentShown
from router.open_files import take_open_files
from router.routes import documents
from router.security import Tenant
from router.settings import RouterSettings
from router.workers import serve
from services.access.admission import TenantAccess
from services.identity.principal import Caller
from services.resources import Resources
from shards.placement import CacheLimits, PlacementCache
from shards.tenants import FenceLimits, Tenants


@dataclass
class Admitted:
    """A rule that judges once."""

    rule: Rule
    known: dict[tuple[str, str], TenantAccess] = field(default_factory=dict)

    @property
    def permission(self) -> str:
        return self.rule.permission

    @property
    def refusals(self) -> tuple[str, ...]:
        return self.rule.refusals

    @property
    def reading(self) -> tuple[str, ...]:
        return self.rule.reading

    async def admit(self, call: Call) -> None:
        """As the rule found the first time."""
        words = (call.headers["authorization"], call.path_params["client_id"])
        known = self.known.get(words)
        if known is None:
            await self.rule.admit(call)
            self.known[words] = call.tenant
            return
        principal = known.caller.principal
        call.caller = Caller(principal, call.origin())
        call.tenant = TenantAccess(call.caller, known.client_id, known.permission, known.reading)
        call.context.about.client_id = known.client_id
        now, shares = time.monotonic(), call.context.headers
        shares.extend(call.edge.principals.take(principal.id, now).headers())
        shares.extend(call.edge.clients.take(known.client_id, now).headers())

    async def confirm_target(self, call: Call) -> None:
        await self.rule.confirm_target(call)


class Fixed(PlacementCache):
    """Asks once for each client."""

    def __init__(self, global_db: Cluster) -> None:
        super().__init__(global_db, CacheLimits())
        self._known: dict[UUID, Placement] = {}

    async def get(self, client_id: UUID) -> Placement:
        found = self._known.get(client_id)
        if found is None:
            found = self._known[client_id] = await self.fetch(client_id)
        return found


def _fixed(resources: Resources) -> Resources:
    data = resources.data
    placements = Fixed(data.global_db)
    tenants = Tenants(placements, data.registry, FenceLimits())
    return replace(resources, data=replace(data, placements=placements, tenants=tenants))


def fixed_app() -> FastAPI:
    """The router's own application, its first route judging once."""
    made = from_environment()
    opening = made.router.lifespan_context
    api = Api("Documents")
    rule = Admitted(Tenant("document:read", of_deleted=True))
    shown = Doc((Answer(200, "The document.", DocumentShown),))
    api.route("GET", documents.DOCUMENT, rule, shown)(documents.get_document)
    made.router.routes[:0] = api.routes

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opening(app):
            edge = app.state.edge
            app.state.edge = replace(edge, resources=_fixed(edge.resources))
            yield

    made.router.lifespan_context = lifespan
    return made


if __name__ == "__main__":
    options = server_options(RouterSettings(), take_open_files())
    serve(Config("tests.acceptance.fixed_router:fixed_app", factory=True, **options))

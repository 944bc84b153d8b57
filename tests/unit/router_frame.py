"""The real frame with tiny routes, for tests without anything behind it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import httpx
from fastapi import FastAPI
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from router.answers import Answer
from router.api import Api, Doc
from router.bodies import BodyLimits
from router.call import Call
from router.frame import assemble
from router.models.documents import DocumentGiven
from services.access.denials import Denials
from services.errors import Forbidden, NotFound, ServiceError
from services.identity.principal import Caller, Principal


@dataclass(frozen=True)
class TinyEdge:
    """What routes need of the edge."""

    json_limits: BodyLimits
    content_limits: BodyLimits
    denials: Denials = field(default_factory=lambda: Denials(10))


@dataclass
class TinyRule:
    """A rule that refuses as it is told, and remembers what it was asked."""

    refusal: ServiceError | None = None
    target_exists: bool = True
    permission: str = "tiny:call"
    refusals: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)

    async def admit(self, call: Call) -> None:
        self.asked.append("admit")
        call.caller = Caller(Principal(UUID(int=1), None, ()), call.origin())
        if self.refusal:
            raise self.refusal

    async def confirm_target(self, call: Call) -> None:
        self.asked.append("confirm_target")
        if not self.target_exists:
            raise NotFound


@asynccontextmanager
async def _nothing(app: FastAPI) -> AsyncIterator[None]:
    yield


def tiny_app(rule: TinyRule) -> FastAPI:
    api = Api("tiny")

    @api.route("POST", "/v1/things/{number}", rule, Doc((Answer(200, "The thing."),)))
    async def make_thing(call: Call, number: int, body: DocumentGiven) -> Response:
        """Make a thing."""
        return JSONResponse({"number": number, "body": body.model_dump()})

    @api.route("GET", "/v1/things/{number}", rule, Doc((Answer(200, "The thing."),)))
    async def get_thing(call: Call, number: int) -> Response:
        """Get a thing."""
        if number == 13:
            raise RuntimeError("the secret of thing 13")
        if number == 403:
            raise Forbidden
        return JSONResponse({"number": number})

    @api.route("PUT", "/v1/things/{number}", rule, Doc((Answer(200, "Its length."),)))
    async def put_thing(call: Call, number: int) -> Response:
        """Put a thing."""
        return JSONResponse({"length": sum([len(piece) async for piece in call.stream()])})

    return framed(api.routes)


def framed(routes: Sequence[BaseRoute]) -> FastAPI:
    app = assemble(routes, _nothing, max_running=3)
    app.state.edge = TinyEdge(BodyLimits(1000, 0.2), BodyLimits(10_000, 0.2, 1000))
    return app


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://docshard.test")

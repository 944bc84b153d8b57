"""The frame around all routes: middleware, error handlers, the API description."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from router import docs
from router.answers import PROBLEM_SCHEMA, problem_examples
from router.api import GuardedRoute
from router.dispatch import Dispatch
from router.middleware.edge import EdgeMiddleware
from router.problems import on_http_exception, on_service_error, on_validation_error
from router.watch import Watch
from services.errors import ServiceError

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

VERSION = "1.0.0"
_DESCRIPTION = """Documents of many tenants, at one address.

Errors are `application/problem+json`; [each code is explained](/docs/errors). Every answer carries
`Request-Id`. Send `Idempotency-Key` with a POST that creates to be able to repeat it safely, and
the `Consistency-Token` of a write with a later read to be sure to see that write.
"""


class UnguardedRoute(Exception):
    """A route under /v1 has no rule; the app does not start with it."""


class DocshardApp(FastAPI):
    """FastAPI with our description of security and errors."""

    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection; requests by our own layers and no other."""
        if scope["type"] != "http" or self.middleware_stack is None:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Our edge, the handlers of errors, the routes.

        The framework's further layers do nothing here and take their time: our edge is the last
        resort for what breaks, bodies are bounded in `Call`, nothing is left open for a request.
        """
        handlers = self.exception_handlers
        framework = ExceptionMiddleware(self.router, handlers, self.debug)
        app: ASGIApp = Dispatch(self.router.routes, handlers, framework)
        for cls, args, kwargs in reversed(self.user_middleware):
            app = cls(app, *args, **kwargs)
        return app


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    components["examples"] = problem_examples()
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token of POST /v1/auth/login, or an API key (`dsk_…`).",
        }
    }
    return document


def assemble(
    routes: Sequence[BaseRoute], lifespan: Lifespan, max_running: int, watch: Watch | None = None
) -> FastAPI:
    """Put `routes` into the frame; it serves `max_running` requests at a time, before `watch`.

    Raises:
        UnguardedRoute: one under /v1 does not say who may call it.
    """
    app = DocshardApp(
        title="docshard",
        version=VERSION,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Who watches requests is our own watch: its figures, its lines, its spans.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.router.routes.extend([*routes, *docs.routes()])
    _demand_rules(app.router.routes)
    app.add_middleware(EdgeMiddleware, max_running=max_running, watch=watch or Watch())
    app.add_exception_handler(ServiceError, on_service_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    return app


def _demand_rules(routes: Sequence[BaseRoute]) -> None:
    for route in routes:
        path = getattr(route, "path", "")
        if path.startswith("/v1") and not isinstance(route, GuardedRoute):
            raise UnguardedRoute(path)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    response = await on_http_exception(request, error)
    if response.status_code == 405:
        response.headers["Allow"] = ", ".join(_methods(request))
    return response


def _methods(request: Request) -> list[str]:
    """Methods of every route at this address: the framework knows only the first one's."""
    found: set[str] = set()
    for route in request.app.router.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)

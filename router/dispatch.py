"""From a request to its route, past what the framework's router finds out again each time.

Our routes have plain addresses and nothing between them and the application, so the first whose
address and method fit is called at once. All else is left to the framework: what is not ours,
unknown addresses, methods that an address does not have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from starlette.convertors import StringConvertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from router.api import GuardedRoute
from router.context import context_of


class UnplainRoute(Exception):
    """A route's address has a part that is no text; the app does not start with it."""


class Dispatch:
    """Calls the routes of ours; errors of theirs become answers by `handlers`, by their class."""

    def __init__(
        self, routes: Sequence[BaseRoute], handlers: Mapping[Any, Any], framework: ASGIApp
    ) -> None:
        self._routes: Final = [_plain(one) for one in routes if isinstance(one, GuardedRoute)]
        self._handlers = handlers
        self._framework = framework

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        route = self._found(scope) if scope["type"] == "http" else None
        if route is None:
            await self._framework(scope, receive, send)
            return
        try:
            await route.app(scope, receive, send)
        except Exception as error:
            explain = self._explaining(error)
            if explain is None or context_of(scope).status:
                raise
            response = await explain(Request(scope, receive), error)
            await response(scope, receive, send)

    def _found(self, scope: Scope) -> GuardedRoute | None:
        """The route, which is then the scope's."""
        path, method = scope["path"], scope["method"]
        for route in self._routes:
            if method in (route.methods or ()) and (found := route.path_regex.match(path)):
                scope["route"], scope["path_params"] = route, found.groupdict()
                return route
        return None

    def _explaining(self, error: Exception) -> Callable[..., Awaitable[Response]] | None:
        kinds = type(error).__mro__
        return next((self._handlers[kind] for kind in kinds if kind in self._handlers), None)


def _plain(route: GuardedRoute) -> GuardedRoute:
    if all(isinstance(one, StringConvertor) for one in route.param_convertors.values()):
        return route
    raise UnplainRoute(route.path)

"""Requests come to the route that the framework's own router would choose, and errors to their
answers."""

from typing import Any

import pytest
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from router.answers import Answer
from router.api import Api, Doc, GuardedRoute
from router.app import all_routes
from router.context import SCOPE_KEY, RequestContext
from router.dispatch import Dispatch, UnplainRoute
from router.security import Public
from services.logs.about import About

ROUTES = all_routes()
GUARDED = [one for one in ROUTES if isinstance(one, GuardedRoute)]
OTHERS = [("GET", "/healthz"), ("GET", "/v1/nothing"), ("PUT", "/v1/clients"), ("GET", "/v1/me/")]


class Met(Exception):
    """Says which way a request went."""


def scope_of(method: str, path: str) -> Scope:
    context = RequestContext(About("r-1"))
    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    return {**scope, SCOPE_KEY: context}


async def framework(scope: Scope, receive: Receive, send: Send) -> None:
    raise Met("framework")


async def nothing() -> Message:
    pytest.fail("nobody reads a body here")


async def never(_: Message) -> None:
    pytest.fail("nobody answers here")


def chosen(method: str, path: str) -> GuardedRoute | None:
    """The framework's choice."""
    scope = scope_of(method, path)
    fitting = (one for one in ROUTES if one.matches(scope)[0] is Match.FULL)
    found = next(fitting, None)
    return found if isinstance(found, GuardedRoute) else None


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, one.path) for one in GUARDED for method in sorted(one.methods or ())] + OTHERS,
)
async def test_the_route_is_the_frameworks(
    method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = chosen(method, path)

    async def met(scope: Scope, receive: Receive, send: Send) -> None:
        raise Met

    if wanted is not None:
        monkeypatch.setattr(wanted, "app", met)
    scope = scope_of(method, path)
    with pytest.raises(Met) as caught:
        await Dispatch(ROUTES, {}, framework)(scope, nothing, never)
    assert scope.get("route") is wanted
    if wanted is None:
        assert caught.value.args == ("framework",)
    else:
        assert scope["path_params"] == wanted.matches(scope_of(method, path))[1]["path_params"]


@pytest.mark.parametrize(("begun", "answered"), [(0, True), (200, False)], ids=["before", "after"])
async def test_an_error_is_answered_unless_an_answer_began(
    begun: int, answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    route = GUARDED[0]
    sent: list[Message] = []

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        scope[SCOPE_KEY].status = begun
        raise Met

    async def explain(_: Any, error: Exception) -> Response:
        assert isinstance(error, Met)
        return Response(status_code=418)

    async def send(message: Message) -> None:
        sent.append(message)

    monkeypatch.setattr(route, "app", fails)
    scope = scope_of(next(iter(route.methods or ())), route.path)
    dispatch = Dispatch([route], {Met.__base__: explain}, framework)
    if answered:
        await dispatch(scope, nothing, send)
        assert sent[0]["status"] == 418
    else:
        with pytest.raises(Met):
            await dispatch(scope, nothing, send)
        assert sent == []


def test_an_address_with_a_part_that_is_no_text_is_refused() -> None:
    api = Api("test")

    @api.route("GET", "/v1/{number:int}", Public(), Doc((Answer(204, "None."),)))
    async def odd(number: int) -> None:
        """Odd."""

    with pytest.raises(UnplainRoute):
        Dispatch(api.routes, {}, framework)

"""Arguments of endpoints: by our plan they are what the framework makes of the same request, and
what it would refuse is left to it."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.dependencies.utils import solve_dependencies
from starlette.types import Message, Scope

from router.api import GuardedRoute
from router.app import all_routes
from router.binding import _STACKS, Unbindable, handler_of
from router.bodies import BodyLimits
from router.call import Call
from services.settings import Limits

ROUTES = {one.operation_id: one for one in all_routes() if isinstance(one, GuardedRoute)}
ID = "01983f5e-7c1a-7d2b-9a4e-0c5b7d1e2f30"
PATH = {"client_id": ID, "document_id": ID.upper(), "number": "3"}
Asked = tuple[str, str, dict[str, str]]
ANSWERED: list[Asked] = [
    ("get_document", "", {}),
    ("get_document", "deleted=include", {"If-None-Match": '"3"'}),
    ("list_documents", "", {}),
    ("list_documents", "limit=7&q=a%20b&sort=-created_at&deleted=only", {}),
    ("list_documents", "created_after=2026-01-01T00:00:00Z&metadata=%7B%7D", {}),
    ("get_content", "proxy=true", {"Range": "bytes=0-1"}),
    ("get_version", "", {}),
    ("promote_version", "", {"If-Match": "*", "Idempotency-Key": "k"}),
]
REFUSED: list[Asked] = [
    ("get_document", "deleted=perhaps", {}),
    ("list_documents", "limit=0", {}),
    ("list_documents", "limit=many", {}),
    ("list_documents", "colour=red", {}),
    ("list_documents", "limit=1&limit=2", {}),
    ("list_documents", "created_after=yesterday", {}),
    ("get_content", "proxy=perhaps", {}),
]


async def nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def call_of(query: str, headers: dict[str, str]) -> Call:
    raw = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": query.encode(),
        "headers": raw,
        "path_params": PATH,
        "app": FastAPI(),
    }
    return Call(scope, nothing, BodyLimits.for_json(Limits()))


async def by_framework(route: GuardedRoute, call: Call) -> tuple[dict[str, Any], list[Any]]:
    async with AsyncExitStack() as stack:
        call.scope.update(dict.fromkeys(_STACKS, stack))
        solved = await solve_dependencies(
            request=call,
            dependant=route.dependant,
            async_exit_stack=stack,
            embed_body_fields=False,
        )
    return solved.values, solved.errors


def by_plan(route: GuardedRoute, call: Call) -> dict[str, Any] | None:
    return handler_of(route, route.get_route_handler()).binding.arguments(call)


@pytest.mark.parametrize("asked", ANSWERED, ids=lambda asked: f"{asked[0]}?{asked[1]}")
async def test_arguments_are_the_frameworks(asked: Asked) -> None:
    route, call = ROUTES[asked[0]], call_of(*asked[1:])
    values, errors = await by_framework(route, call)
    assert not errors
    assert by_plan(route, call) == values


@pytest.mark.parametrize("asked", REFUSED, ids=lambda asked: f"{asked[0]}?{asked[1]}")
async def test_what_is_wrong_is_left_to_the_framework(asked: Asked) -> None:
    route, call = ROUTES[asked[0]], call_of(*asked[1:])
    _, errors = await by_framework(route, call)
    assert errors or "limit=1&limit=2" in asked[1]
    assert by_plan(route, call) is None


def test_a_route_that_says_not_what_it_answers_is_refused() -> None:
    app = FastAPI()
    app.get("/x", response_model=None)(lambda: None)
    route = next(one for one in app.routes if getattr(one, "path", "") == "/x")
    with pytest.raises(Unbindable):
        handler_of(route, lambda _: None)  # type: ignore[arg-type]  # FastAPI's list is of any route

"""Who is let through, where a login leads to, and what a stream of pages does."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from starlette.types import Message

from router.bodies import BodyLimits
from router.console import rendering
from router.console.guard import ConsoleRoute
from router.console.live import Live, Viewer
from router.console.origin import demand_own_page
from router.console.pages.entrance import HOME, destination
from router.console.routes import ROUTES
from router.console.visit import Visit
from services.errors import Busy, Forbidden, InvalidRequest, Overloaded, ServiceError
from services.settings import Limits


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin"},
        {"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"},
        {"origin": "https://ops.example", "host": "ops.example"},
    ],
)
def test_own_pages_may_change_something(headers: dict[str, str]) -> None:
    demand_own_page(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "ops.example"},
        {"origin": "null", "host": "ops.example"},
        {"origin": "", "host": ""},
        {"origin": "https://ops.example.evil.test", "host": "ops.example"},
        {"origin": "https://ops.example", "host": "ops.example", "sec-fetch-site": "cross-site"},
        {"origin": "https://ops.example", "host": "ops.example", "sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_foreign_pages_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        demand_own_page(headers)


@pytest.mark.parametrize(
    "wished",
    [
        "/console",
        "/console/audit?client=a-b&from=2026-01-01T00:00",
        "/console/ring",
        "/console/moves/0198c0de-0000-7000-8000-000000000001?again=%2F%2F",
    ],
)
def test_a_login_leads_to_the_page_that_was_asked_for(wished: str) -> None:
    assert destination(wished) == wished


ELSEWHERE = {
    "nothing": "",
    "root": "/",
    "other page": "/v1/me",
    "longer name": "/consoleevil",
    "absolute": "https://evil.test/console",
    "no scheme": "//evil.test/console",
    "three slashes": "///evil.test/console",
    "backslash": "/\\evil.test",
    "two backslashes": "\\\\evil.test",
    "backslash within": "/console\\..\\evil",
    "escaped slashes": "%2f%2fevil.test",
    "escaped slash": "/%2fevil.test",
    "scheme alone": "https:evil.test",
    "script": "javascript:alert(1)//console",
    "data": "data:text/html,/console",
    "user": "@evil.test/console",
    "line ends": "/console\r\nX: y",
    "last line end": "/console\n",
    "tab": "/\t/evil.test",
    "blank before": " //evil.test",
    "tab before": "\t/console",
    "zero": "/console\0",
    "out of it": "/console/../v1/me",
    "out of it, escaped": "/console/%2e%2e/v1/me",
    "out of it, to a host": "/console/..//evil.test",
    "empty step": "/console//evil.test",
    "fragment": "/console#//evil.test",
    "wide slash": "/console\uff0f..",
    "wide digit": "/console/\uff11",
    "upper case": "/CONSOLE",
}


@pytest.mark.parametrize("wished", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_and_nowhere_else(wished: str) -> None:
    assert destination(wished) == HOME


def test_every_address_says_what_it_needs_and_changes_need_the_right_to_operate() -> None:
    guarded = [one for one in ROUTES if isinstance(one, ConsoleRoute)]
    assert len(guarded) == len(ROUTES) - 1  # the other one are static files
    assert {one.path for one in guarded if one.permission is None} == {"/console/login"}
    changing = {one.path: one.permission for one in guarded if "POST" in (one.methods or ())}
    assert changing == {
        "/console/login": None,
        "/console/logout": "fleet:read",
        "/console/rebalance/{verb}": "fleet:operate",
        "/console/moves/{move_id}/{verb}": "fleet:operate",
    }


async def test_what_no_database_can_hold_is_refused_before_one_is_asked() -> None:
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "query_string": b"name=a%00b", "headers": form}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"reason=a%00b", "more_body": False}

    visit = Visit(scope, receive, BodyLimits.for_json(Limits()))
    with pytest.raises(InvalidRequest):
        visit.demand_storable_address()
    with pytest.raises(InvalidRequest):
        await visit.fields()


def test_an_event_survives_line_ends() -> None:
    assert rendering.event("update", "a\nb\r\nc") == b"event: update\ndata: a\ndata: b\ndata: c\n\n"
    assert rendering.event("end", "") == b"event: end\ndata: \n\n"


def fault(error: ServiceError | None) -> str:
    return "fault" if error is None else error.code


async def test_all_who_look_share_one_look() -> None:
    looks = 0

    async def make() -> str:
        nonlocal looks
        looks += 1
        return f"look {looks}"

    live = Live(0.01, 10, fault)
    async with AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(live.viewer("a", make)) for _ in range(5)]
        shown = await asyncio.gather(*(one.next(5) for one in viewers))
        assert len(set(shown)) == 1
        assert looks <= 2
    before = looks
    async with live.viewer("b", make) as another:
        assert await another.next(5) is not None
    assert looks >= before + 1
    await live.close()


async def test_streams_are_bounded_and_a_place_becomes_free_again() -> None:
    async def make() -> str:
        return "page"

    live = Live(0.01, 1, fault)
    async with live.viewer("a", make):
        with pytest.raises(Overloaded):
            async with live.viewer("b", make):
                pass
    async with live.viewer("b", make) as viewer:
        assert await viewer.next(5) == "page"
        assert await viewer.next(0.05) is None, "what has not changed is not sent again"
    assert live.viewers == 0
    await live.close()


async def test_a_page_that_cannot_be_made_says_so_and_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """I10. What stays wrong is logged once."""
    failures: list[Exception] = [
        *(RuntimeError("secret"), RuntimeError("secret"), RuntimeError("secret")),
        Busy("later"),
    ]

    async def make() -> str:
        if failures:
            raise failures.pop()
        return "page"

    live, shown = Live(0.01, 1, fault), list[str | None]()
    async with live.viewer("a", make) as viewer:
        await _collect(viewer, shown, 3)
    assert shown == ["busy", "fault", "page"]
    assert [one.getMessage() for one in caplog.records] == ["a page of the console cannot be made"]
    await live.close()


async def _collect(viewer: Viewer, shown: list[str | None], most: int) -> None:
    while len(shown) < most:
        shown.append(await viewer.next(5))

"""What every answer carries, and in which order a request is refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from router.bodies import BodyLimits
from router.call import Call
from router.frame import UnguardedRoute
from services.errors import Forbidden, NotFound, TooManyRequests, Unauthenticated
from tests.unit.router_frame import TinyEdge, TinyRule, client_of, framed, tiny_app

THING = {"original_name": "a.txt", "mime_type": "text/plain"}


@pytest.fixture
def rule() -> TinyRule:
    return TinyRule()


async def test_request_id_is_kept_when_it_is_sane_and_made_otherwise(rule: TinyRule) -> None:
    async with client_of(tiny_app(rule)) as client:
        kept = await client.get("/v1/things/1", headers={"Request-Id": "abc-1.2_3"})
        made = await client.get("/v1/things/1", headers={"Request-Id": 'a"b\tc'})
    assert kept.headers.get_list("Request-Id") == ["abc-1.2_3"]
    assert len(made.headers["Request-Id"]) == 36


async def test_answers_are_not_stored_and_not_sniffed(rule: TinyRule) -> None:
    async with client_of(tiny_app(rule)) as client:
        answer = await client.get("/v1/things/1")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "total;dur=" in answer.headers["Server-Timing"]


async def test_a_fault_of_ours_tells_nothing(rule: TinyRule) -> None:
    async with client_of(tiny_app(rule)) as client:
        answer = await client.get("/v1/things/13", headers={"Request-Id": "r-1"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    problem = answer.json()
    assert (problem["code"], problem["request_id"]) == ("internal", "r-1")


async def test_a_query_parameter_that_the_route_does_not_know_is_refused(rule: TinyRule) -> None:
    async with client_of(tiny_app(rule)) as client:
        answer = await client.post("/v1/things/1?x=1", json=THING)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request")
    assert problem["instance"] == "/v1/things/1"
    assert problem["errors"] == [{"pointer": "?x", "message": "Is not known here."}]


async def test_problems_have_every_member(rule: TinyRule) -> None:
    async with client_of(tiny_app(rule)) as client:
        answer = await client.post("/v1/things/1", json=THING | {"colour": "red"})
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/docs/errors#invalid_request",
        "title": "The request is not valid",
        "status": 422,
        "detail": "/colour: Extra inputs are not permitted",
        "instance": "/v1/things/1",
        "code": "invalid_request",
        "request_id": answer.headers["Request-Id"],
        "errors": [{"pointer": "/colour", "message": "Extra inputs are not permitted"}],
    }


async def test_unknown_address_and_method(rule: TinyRule) -> None:
    async with client_of(tiny_app(rule)) as client:
        unknown = await client.get("/v1/nothing")
        method = await client.delete("/v1/things/1")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (method.status_code, method.json()["code"]) == (405, "method_not_allowed")
    assert method.headers["Allow"] == "GET, POST, PUT"


async def test_an_id_that_cannot_be_one_is_absent(rule: TinyRule) -> None:
    async with client_of(tiny_app(rule)) as client:
        answer = await client.get("/v1/things/seven")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("refusal", [Unauthenticated(), NotFound(), Forbidden()])
async def test_who_may_not_call_is_refused_before_the_body(refusal: Exception) -> None:
    asked: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(10_000):
            asked.append("more")
            yield b"x" * 1000

    rule = TinyRule(refusal=refusal)  # type: ignore[arg-type]  # all three are ServiceErrors
    async with client_of(tiny_app(rule)) as client:
        answer = await client.post("/v1/things/1", content=endless())
    assert answer.json()["code"] == refusal.code  # type: ignore[attr-defined]  # as above
    assert answer.headers["Connection"] == "close"
    assert len(asked) < 1000, "no more than the linger was read"


async def test_401_says_how_to_get_in_and_429_when_to_return() -> None:
    async with client_of(tiny_app(TinyRule(refusal=Unauthenticated()))) as client:
        unknown = await client.get("/v1/things/1")
    async with client_of(
        tiny_app(TinyRule(refusal=TooManyRequests(retry_after_seconds=3)))
    ) as client:
        limited = await client.get("/v1/things/1")
    assert unknown.headers["WWW-Authenticate"].startswith("Bearer")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "3")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/v1/things/1", {"bad": 1}), ("GET", "/v1/things/403", None)],
)
async def test_what_is_absent_stays_absent_whatever_else_is_wrong(
    method: str, path: str, body: dict[str, int] | None
) -> None:
    async with client_of(tiny_app(TinyRule(target_exists=False))) as client:
        answer = await client.request(method, path, json=body)
    assert answer.json()["code"] == "not_found"


async def test_the_target_is_not_looked_up_when_all_is_well(rule: TinyRule) -> None:
    async with client_of(tiny_app(rule)) as client:
        assert (await client.post("/v1/things/1", json=THING)).status_code == 200
    assert rule.asked == ["admit"]


async def test_large_bodies_are_refused_announced_or_not(rule: TinyRule) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    headers = {"Content-Type": "application/json"}
    async with client_of(tiny_app(rule)) as client:
        announced = await client.post("/v1/things/1", content=b" " * 2000, headers=headers)
        chunked = await client.post("/v1/things/1", content=pieces(), headers=headers)
        content = await client.put("/v1/things/1", content=b" " * 20_000)
    for answer in (announced, chunked, content):
        assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")


async def test_a_body_that_dawdles_is_refused(rule: TinyRule) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    headers = {"Content-Type": "application/json"}
    async with client_of(tiny_app(rule)) as client:
        answer = await client.post("/v1/things/1", content=slow(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")


async def test_content_that_keeps_coming_earns_time(rule: TinyRule) -> None:
    async def steady() -> AsyncIterator[bytes]:
        for _ in range(8):
            await asyncio.sleep(0.05)
            yield b"x" * 500

    async with client_of(tiny_app(rule)) as client:
        answer = await client.put("/v1/things/1", content=steady())
    assert answer.json() == {"length": 4000}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Type": "text/plain"}, "unsupported_media_type"),
        (
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
            "unsupported_media_type",
        ),
    ],
)
async def test_other_media_types_are_refused(headers: dict[str, str], code: str) -> None:
    async with client_of(tiny_app(TinyRule())) as client:
        answer = await client.post("/v1/things/1", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, code)


def test_a_route_without_a_rule_stops_the_app() -> None:
    with pytest.raises(UnguardedRoute):
        framed([Route("/v1/open", PlainTextResponse("hello"))])


class BusyRule(TinyRule):
    """Admits nobody before it is told to, and then everybody."""

    def __init__(self, callers: int) -> None:
        super().__init__()
        self.go_on, self.all_run = asyncio.Event(), asyncio.Barrier(callers + 1)

    async def admit(self, call: Call) -> None:
        if not self.go_on.is_set():
            await self.all_run.wait()
            await asyncio.wait_for(self.go_on.wait(), 5)
        await super().admit(call)


async def test_more_than_can_be_served_is_refused_at_once() -> None:
    rule = BusyRule(3)
    async with client_of(tiny_app(rule)) as client:
        busy = [asyncio.create_task(client.get("/v1/things/1")) for _ in "abc"]
        await asyncio.wait_for(rule.all_run.wait(), 5)
        refused = await client.get("/v1/things/1")
        rule.go_on.set()
        served = await asyncio.gather(*busy)
        later = await client.get("/v1/things/1")
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["Retry-After"] == "1"
    assert [answer.status_code for answer in (*served, later)] == [200] * 4


async def test_senders_that_dawdle_keep_nobody_out_and_the_longest_go_first(
    rule: TinyRule,
) -> None:
    """Three are served at a time here, and three may wait for their bodies besides (I9)."""
    go_on, asked = asyncio.Event(), asyncio.Semaphore(0)

    async def dawdling() -> AsyncIterator[bytes]:
        asked.release()
        await asyncio.wait_for(go_on.wait(), 5)
        yield b"x"

    app = tiny_app(rule)
    app.state.edge = TinyEdge(BodyLimits(1000, 10), BodyLimits(1000, 10))
    async with client_of(app) as client:
        senders = []
        for _ in range(4):
            senders.append(asyncio.create_task(client.put("/v1/things/1", content=dawdling())))
            await asyncio.wait_for(asked.acquire(), 5)
            assert (await client.get("/v1/things/1")).status_code == 200
        first = await asyncio.wait_for(senders[0], 5)
        assert (first.status_code, first.json()["code"]) == (408, "request_timeout")
        go_on.set()
        assert [(await sender).status_code for sender in senders[1:]] == [200] * 3

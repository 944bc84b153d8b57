"""The SDK: the conversation as plain data, then both faces over a real socket."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import UUID

import httpx
import pytest

from docshard_client import (
    ApiError,
    AsyncDocshard,
    Conflict,
    ConnectionFailed,
    Docshard,
    PreconditionFailed,
    Retry,
    Unavailable,
)
from docshard_client.session import Bearer, ConsistencyTokens, Job, Session
from docshard_client.steps import Outcome, Pause

CLIENT = UUID(int=1)
DOCUMENT = UUID(int=2)
DOCUMENT_BODY = {
    "id": str(DOCUMENT),
    "client_id": str(CLIENT),
    "original_name": "a.txt",
    "mime_type": "text/plain",
    "current_version": 0,
    "metadata": {},
    "legal_hold": False,
    "created_by": str(UUID(int=7)),
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "a_field_of_tomorrow": True,
}


def answer(status: int, body: object, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)


def refusal(status: int, code: str, **headers: str) -> httpx.Response:
    return answer(status, {"code": code, "detail": "because", "request_id": "r-1"}, **headers)


@dataclass
class Told:
    """What an exchange did: the requests it sent, the pauses it made, and how it ended."""

    requests: list[httpx.Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    result: Any = None


def tell(job: Job[Any], outcomes: Sequence[Outcome], session: Session | None = None) -> Told:
    told, answers = Told(), iter(outcomes)
    steps = job(session or Session("http://service", Bearer("dsk_1")))
    outcome: Outcome | None = None
    try:
        while True:
            step = next(steps) if outcome is None and not told.requests else steps.send(outcome)
            if isinstance(step, Pause):
                told.pauses.append(step.seconds)
                outcome = None
            else:
                assert isinstance(step, httpx.Request)
                told.requests.append(step)
                outcome = next(answers)
    except StopIteration as done:
        told.result = done.value
    return told


def create() -> Job[Any]:
    return Docshard.create_document.job(CLIENT, "a.txt", "text/plain")


def test_a_document_is_read_with_its_etag() -> None:
    told = tell(create(), [answer(201, DOCUMENT_BODY, ETag='"7"')])
    assert (told.result.id, told.result.etag) == (DOCUMENT, '"7"')
    assert told.requests[0].headers["Authorization"] == "Bearer dsk_1"


def test_a_creation_is_repeated_with_the_same_key_and_body() -> None:
    """I2: one effect per Idempotency-Key."""
    outcomes: list[Outcome] = [
        refusal(503, "outcome_unknown"),
        httpx.ReadError("cut"),
        refusal(409, "idempotency_in_progress"),
        answer(201, DOCUMENT_BODY),
    ]
    told = tell(create(), outcomes)
    assert len({(r.headers["Idempotency-Key"], r.content) for r in told.requests}) == 1
    assert (len(told.requests), len(told.pauses)) == (4, 3)


def test_retry_after_is_respected() -> None:
    told = tell(
        create(),
        [refusal(503, "tenant_moving", **{"Retry-After": "3"}), answer(201, DOCUMENT_BODY)],
    )
    assert told.pauses == [3]


def test_a_long_retry_after_is_left_to_the_caller() -> None:
    with pytest.raises(Unavailable) as caught:
        tell(create(), [refusal(503, "shard_unavailable", **{"Retry-After": "60"})])
    assert caught.value.problem.retry_after == 60


@pytest.mark.parametrize(
    "outcome", [refusal(503, "outcome_unknown"), httpx.Response(503), httpx.ReadTimeout("late")]
)
def test_content_of_unknown_outcome_is_not_put_twice(outcome: Outcome) -> None:
    with pytest.raises((ApiError, ConnectionFailed)):
        tell(Docshard.put_content.job(CLIENT, DOCUMENT, b"x", "text/plain"), [outcome])


@pytest.mark.parametrize("outcome", [refusal(503, "busy"), httpx.ConnectError("refused")])
def test_content_that_certainly_was_not_stored_is_put_again(outcome: Outcome) -> None:
    put = Docshard.put_content.job(CLIENT, DOCUMENT, b"x", "text/plain")
    version = {
        "id": str(UUID(int=3)),
        "document_id": str(DOCUMENT),
        "version_number": 1,
        "mime_type": "text/plain",
        "size": 1,
        "checksum_sha256": "00",
        "created_at": "2026-01-01T00:00:00Z",
        "created_by": str(UUID(int=7)),
    }
    assert tell(put, [outcome, answer(201, version)]).result.version_number == 1


def test_attempts_end() -> None:
    session = Session("http://service", retry=Retry(attempts=3))
    with pytest.raises(ConnectionFailed, match="refused"):
        tell(create(), [httpx.ConnectError("refused")] * 3, session)


def test_a_refusal_is_typed_and_not_repeated() -> None:
    with pytest.raises(PreconditionFailed) as caught:
        tell(
            Docshard.delete_document.job(CLIENT, DOCUMENT, '"1"'),
            [refusal(412, "precondition_failed")],
        )
    assert (caught.value.code, caught.value.detail) == ("precondition_failed", "because")
    assert caught.value.request_id == "r-1"


def test_a_page_of_a_proxy_is_an_error_too() -> None:
    with pytest.raises(ApiError, match="502 unknown"):
        tell(create(), [httpx.Response(502, text="<html>")])


def test_reads_carry_the_newest_token_of_their_tenant_only() -> None:
    session = Session("http://service")
    tell(create(), [answer(201, DOCUMENT_BODY, **{"Consistency-Token": "t1"})], session)
    for client, token in ((CLIENT, "t1"), (UUID(int=9), None)):
        told = tell(
            Docshard.get_document.job(client, DOCUMENT), [answer(200, DOCUMENT_BODY)], session
        )
        assert told.requests[0].headers.get("Consistency-Token") == token


def test_a_lost_write_is_told_once() -> None:
    session = Session("http://service")
    tell(create(), [answer(201, DOCUMENT_BODY, **{"Consistency-Token": "t1"})], session)
    read = Docshard.get_document.job(CLIENT, DOCUMENT)
    with pytest.raises(Conflict):
        tell(read, [refusal(409, "write_lost")], session)
    told = tell(read, [answer(200, DOCUMENT_BODY)], session)
    assert "Consistency-Token" not in told.requests[0].headers


def test_reads_may_be_as_stale_as_was_said() -> None:
    session = Session("http://service", max_staleness=5)
    for job, said in ((Docshard.get_document.job(CLIENT, DOCUMENT), "5"), (create(), None)):
        told = tell(job, [answer(200, DOCUMENT_BODY)], session)
        assert told.requests[0].headers.get("Max-Staleness") == said


def test_tokens_are_bounded() -> None:
    tokens = ConsistencyTokens(most=2)
    for n in (1, 2, 1, 3):
        tokens.keep(UUID(int=n), f"t{n}")
    assert [tokens.get(UUID(int=n)) for n in (1, 2, 3)] == ["t1", None, "t3"]


def test_the_key_does_not_travel_to_the_storage() -> None:
    moved = httpx.Response(307, headers={"Location": "http://s3/blob?signature=1"})
    told = tell(
        Docshard.get_content.job(CLIENT, DOCUMENT),
        [moved, httpx.Response(200, content=b"bytes")],
    )
    assert told.result == b"bytes"
    assert str(told.requests[1].url) == "http://s3/blob?signature=1"
    assert "Authorization" not in told.requests[1].headers


class Pages(BaseHTTPRequestHandler):
    """Two pages of documents; the first request of all is refused once."""

    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        if len(self.seen) == 1:
            return self.answer(503, {"code": "overloaded", "detail": "a moment"})
        last = "cursor=next" in self.path
        return self.answer(200, {"items": [DOCUMENT_BODY], "next_cursor": None if last else "next"})

    def answer(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served() -> Iterator[str]:
    handler = type("FreshPages", (Pages,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_blocking_face_pages_through_a_list() -> None:
    with served() as url, Docshard(url, "dsk_1") as api:
        assert [d.id for d in api.list_documents(CLIENT, limit=1)] == [DOCUMENT] * 2


async def test_the_asynchronous_face_pages_through_a_list() -> None:
    with served() as url:
        async with AsyncDocshard(url, "dsk_1") as api:
            assert [d.id async for d in api.list_documents(CLIENT)] == [DOCUMENT] * 2

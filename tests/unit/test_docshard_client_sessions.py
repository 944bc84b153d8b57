"""A person's session in the SDK: tokens are renewed by themselves, once, by whoever comes first."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import pytest

from docshard_client import AsyncDocshard, Docshard, Retry, Unauthenticated
from docshard_client.models import Login
from docshard_client.session import Session

ME: dict[str, Any] = {
    "principal": {"kind": "user", "id": "01983f5e-2222-7d2b-9a4e-0c5b7d1e2f31"},
    "user_id": "01983f5e-2222-7d2b-9a4e-0c5b7d1e2f31",
    "api_key_id": None,
    "session": None,
    "grants": [],
}


@dataclass
class Gate:
    """A service that rotates tokens and ends the session when an old refresh token is shown."""

    lifetime: int = 600
    generation: int = 0
    refreshed: int = 0
    revoked: bool = False
    stumbles: int = 0
    """How many of the next refreshings are answered 503, nothing done."""
    lock: Lock = field(default_factory=Lock)

    def tokens(self) -> dict[str, Any]:
        names = {f"{kind}_token": f"{kind}-{self.generation}" for kind in ("access", "refresh")}
        return names | {"token_type": "Bearer", "expires_in": self.lifetime}

    def end_access_tokens(self) -> None:
        self.generation += 1

    def refresh(self, token: str) -> tuple[int, dict[str, Any]]:
        with self.lock:
            if self.stumbles:
                self.stumbles -= 1
                return 503, {"code": "overloaded", "detail": "a moment"}
            time.sleep(0.02)  # others come in meanwhile
            self.refreshed += 1
            if self.revoked or token != f"refresh-{self.refreshed - 1}":
                self.revoked = True
                return 401, {"code": "unauthenticated", "detail": "over"}
            self.generation = self.refreshed
            return 200, self.tokens()

    def answer(self, path: str, bearer: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        match path:
            case "/v1/auth/login":
                return 200, self.tokens()
            case "/v1/auth/refresh":
                return self.refresh(body["refresh_token"])
            case "/v1/auth/logout":
                return 204, {}
            case _ if bearer == f"Bearer access-{self.generation}" and not self.revoked:
                return 200, ME
            case _:
                return 401, {"code": "unauthenticated", "detail": "expired"}


@contextmanager
def served(gate: Gate) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length) or b"{}")
            status, said = gate.answer(self.path, self.headers.get("Authorization", ""), body)
            data = json.dumps(said).encode() if status != 204 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_ended_token_is_replaced_once_for_all_threads() -> None:
    gate = Gate()
    with served(gate) as url, Docshard(url) as api:
        api.login("a@example.org", "secret")
        gate.end_access_tokens()
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: api.get_me().principal.kind, range(16)))
    assert (set(found), gate.refreshed, gate.revoked) == ({"user"}, 1, False)


async def test_an_ended_token_is_replaced_once_for_all_tasks() -> None:
    gate = Gate()
    with served(gate) as url:
        async with AsyncDocshard(url) as api:
            await api.login("a@example.org", "secret")
            gate.end_access_tokens()
            await asyncio.gather(*(api.get_me() for _ in range(16)))
    assert (gate.refreshed, gate.revoked) == (1, False)


async def test_a_renewal_is_finished_when_its_caller_is_cancelled() -> None:
    """Abandoned, its answer would be lost, and with it the only refresh token that is good."""
    gate = Gate()
    with served(gate) as url:
        async with AsyncDocshard(url) as api:
            await api.login("a@example.org", "secret")
            gate.end_access_tokens()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.015):
                    await api.get_me()
            assert (await api.get_me()).principal.kind == "user"
    assert not gate.revoked


def test_a_refreshing_that_stumbles_is_tried_again() -> None:
    gate = Gate(stumbles=1)
    with served(gate) as url, Docshard(url, retry=Retry(first_pause=0.01)) as api:
        api.login("a@example.org", "secret")
        gate.end_access_tokens()
        assert api.get_me().principal.kind == "user"


def test_a_session_that_is_over_is_forgotten() -> None:
    gate = Gate()
    with served(gate) as url, Docshard(url) as api:
        api.login("a@example.org", "secret")
        gate.revoked = True
        for refreshed in (1, 1):
            with pytest.raises(Unauthenticated):
                api.get_me()
            assert gate.refreshed == refreshed  # a dead token is not shown again


def test_after_logout_one_is_nobody() -> None:
    gate = Gate()
    with served(gate) as url, Docshard(url) as api:
        api.login("a@example.org", "secret")
        api.logout()
        with pytest.raises(Unauthenticated):
            api.get_me()
    assert gate.refreshed == 0


@pytest.mark.parametrize(("lifetime", "early"), [(600, 30.0), (40, 10.0)])
def test_a_token_is_due_shortly_before_it_ends(lifetime: int, early: float) -> None:
    now = [0.0]
    session = Session("http://service", clock=lambda: now[0])
    session.adopt(
        Login(access_token="a", token_type="Bearer", expires_in=lifetime, refresh_token="r")
    )
    now[0] = lifetime - early - 0.1
    assert not session.is_due
    now[0] = lifetime - early
    assert session.is_due


def test_a_due_token_is_replaced_before_it_is_refused() -> None:
    gate = Gate(lifetime=0)
    with served(gate) as url, Docshard(url) as api:
        api.login("a@example.org", "secret")
        api.get_me()
    assert (gate.refreshed, gate.generation) == (1, 1)

"""One tenant's place to call from: sends a request, judges the answer, has it counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import orjson

from loadtests.calls.own import Books
from loadtests.crowd import Caller
from loadtests.plan import Outcome
from loadtests.tenants import Readable, Tenant

if TYPE_CHECKING:
    # Importing locust patches the whole standard library, which only its own process bears.
    from locust.contrib.fasthttp import FastHttpSession, ResponseContextManager

Judge = Callable[["Reply"], "str | None"]
"""What is wrong with an answer of the expected status; None: nothing."""


class Refused(Exception):
    """429 or 503: the contract allows it."""


class Broken(Exception):
    """The service failed, or no answer came."""


class Wrong(Exception):
    """The answer is not what the contract promises."""


OUTCOMES: Mapping[type[Exception], Outcome] = {Refused: Outcome.REFUSED, Wrong: Outcome.WRONG}
"""Anything else that a call can end with is broken: the transport's errors, too."""


def outcome_of(error: Exception | None) -> Outcome:
    """How a call ended that ended with this."""
    return Outcome.RIGHT if error is None else OUTCOMES.get(type(error), Outcome.BROKEN)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, already judged."""

    status: int
    """0: none came."""
    body: bytes
    headers: Mapping[str, str]
    right: bool = True

    @property
    def certain(self) -> bool:
        """Whether it says if the write was done: what failed in the service leaves that open."""
        return 200 <= self.status < 500

    def json(self) -> Any:
        """The body."""
        return orjson.loads(self.body)

    @property
    def etag(self) -> str:
        """Empty when there is none."""
        return self.headers.get("etag", "")

    @property
    def token(self) -> str:
        """The Consistency-Token; empty when there is none."""
        return self.headers.get("consistency-token", "")


@dataclass(slots=True)
class Desk:
    """Where the calls of one arrival, or of one turn of a user, are made.

    `due` is when the first of them was to be made, by `time.perf_counter`: waiting for its turn is
    part of its time. The calls behind it are due when they are sent.
    """

    session: FastHttpSession
    caller: Caller
    tenant: Tenant
    books: Books
    chance: Random
    offered: Callable[[Caller], None] = field(repr=False)
    """Called for each call behind the first, which has been offered by who made the desk."""
    due: float
    _calls: int = 0

    def ask(
        self,
        name: str,
        expected: int,
        method: str,
        path: str,
        *,
        judge: Judge | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Reply:
        """One call below the tenant's address, by its key."""
        sent = {"Authorization": f"Bearer {self.tenant.key}", **(headers or {})}
        url = f"/v1/clients/{self.tenant.client_id}/{path}"
        return self.send(name, expected, method, url, judge=judge, headers=sent, **more)

    def send(
        self, name: str, expected: int, method: str, url: str, judge: Judge | None, **more: Any
    ) -> Reply:
        """One call to any address, with these headers alone."""
        began = time.perf_counter()
        if self._calls:
            self.offered(self.caller)
            self.due = began
        self._calls += 1
        due = self.due
        context = {"caller": self.caller, "due": due}
        with self.session.request(
            method, url, name=name, catch_response=True, context=context, **more
        ) as response:
            response.request_meta["response_time"] += 1000 * (began - due)
            reply = _reply(response)
            error = fault(reply, expected, judge)
            if error is None:
                response.success()
                return reply
            response.failure(error)
            return Reply(reply.status, reply.body, reply.headers, right=False)

    def any_document(self) -> Readable:
        """One of those that stay as they are."""
        return self.chance.choice(self.tenant.documents)


def fault(reply: Reply, expected: int, judge: Judge | None) -> Exception | None:
    """What is wrong with an answer, in words that are the same for all of its kind."""
    if reply.status == expected:
        try:
            said = judge(reply) if judge else None
        except (LookupError, TypeError, ValueError) as error:
            said = f"{type(error).__name__} in reading the answer"
        return Wrong(said) if said else None
    if not reply.status:
        return Broken("no answer")
    told = f"{reply.status} {_code(reply)}".rstrip()
    if reply.status in (429, 503):
        return Refused(told)
    return Broken(told) if reply.status >= 500 else Wrong(told)


def _code(reply: Reply) -> str:
    try:
        return str(reply.json()["code"])
    except (LookupError, TypeError, ValueError):
        return ""


def _reply(response: ResponseContextManager) -> Reply:
    headers = {str(name).lower(): str(value) for name, value in (response.headers or {}).items()}
    return Reply(int(response.status_code or 0), bytes(response.content or b""), headers)

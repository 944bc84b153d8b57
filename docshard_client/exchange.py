"""The conversation behind one call: attempts, pauses, redirects, errors. It does no I/O.

`exchange` is a generator. It yields what has to happen next, a request to send or a pause to
make, and is sent the outcome; its return value is the call's result. Blocking and asynchronous
code drive the same generator, so that neither knows anything that the other does not.
"""

from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

import httpx

from docshard_client.call import Call
from docshard_client.errors import ConnectionFailed, error_for
from docshard_client.models import Login
from docshard_client.retry import Outcome, Retry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait this many seconds."""

    seconds: float


Step = httpx.Request | Pause
Exchange = Generator[Step, Outcome | None, T]


class ConsistencyTokens:
    """The newest token of each tenant: with it a read sees every write made through this object.

    Bounded: the tenants used longest ago are forgotten first, and their reads go without.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._tokens: OrderedDict[UUID, str] = OrderedDict()

    def get(self, client_id: UUID | None) -> str | None:
        """The tenant's token, if any."""
        return self._tokens.get(client_id) if client_id else None

    def keep(self, client_id: UUID | None, token: str | None) -> None:
        """Remember what an answer gave out."""
        if client_id is None or token is None:
            return
        self._tokens[client_id] = token
        self._tokens.move_to_end(client_id)
        while len(self._tokens) > self._most:
            self._tokens.popitem(last=False)


@dataclass(slots=True)
class Session:
    """What calls share: where the service is, who is calling, what was seen."""

    base_url: str
    bearer: str | None = None
    retry: Retry = field(default_factory=Retry)
    tokens: ConsistencyTokens = field(default_factory=ConsistencyTokens)

    def request(self, call: Call[Any]) -> httpx.Request:
        """The call as an HTTP request."""
        headers = {"User-Agent": "docshard-client", "Accept": "application/json", **call.headers}
        if self.bearer:
            headers["Authorization"] = f"Bearer {self.bearer}"
        if token := self.tokens.get(call.client_id):
            headers["Consistency-Token"] = token
        return httpx.Request(
            call.method,
            self.base_url.rstrip("/") + call.path,
            params=dict(call.params),
            headers=headers,
            json=None if call.body is None else dict(call.body),
            content=call.content,
        )

    def accept(self, call: Call[T], response: httpx.Response) -> T:
        """Read a successful answer and remember what later calls need."""
        self.tokens.keep(call.client_id, response.headers.get("Consistency-Token"))
        result = call.parse(response)
        if isinstance(result, Login):
            self.bearer = result.access_token
        return result


def exchange(session: Session, call: Call[T]) -> Exchange[T]:
    """Carry a call through to its result. Raises ApiError or ConnectionFailed."""
    for attempt in count(1):
        outcome = yield from _attempt(session, call)
        pause = session.retry.pause(call, outcome, attempt)
        if pause is None:
            break
        yield Pause(pause)
    if isinstance(outcome, httpx.TransportError):
        raise ConnectionFailed(f"{call.method} {call.path}: {outcome!r}") from outcome
    if outcome.is_error:
        raise error_for(outcome)
    return session.accept(call, outcome)


def _attempt(session: Session, call: Call[Any]) -> Exchange[Outcome]:
    outcome = yield from _send(session.request(call))
    if isinstance(outcome, httpx.Response) and _is_elsewhere(call, outcome):
        # A presigned address carries its own permission: our key must not go there.
        outcome = yield from _send(httpx.Request("GET", outcome.headers["Location"]))
    return outcome


def _is_elsewhere(call: Call[Any], response: httpx.Response) -> bool:
    return call.method == "GET" and response.has_redirect_location


def _send(request: httpx.Request) -> Exchange[Outcome]:
    outcome = yield request
    if outcome is None:
        raise TypeError("a request was answered with nothing")
    return outcome

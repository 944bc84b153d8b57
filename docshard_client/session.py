"""What the calls of one object share: where the service is, who is calling, what was seen."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar
from uuid import UUID

import httpx

from docshard_client.call import Call
from docshard_client.errors import ApiError
from docshard_client.models import Login
from docshard_client.retry import Retry
from docshard_client.steps import Exchange

T = TypeVar("T")

_RENEWED_BEFORE = 30.0
"""Seconds before an access token ends in which it is replaced."""


_READS = frozenset({"GET", "HEAD"})


class ConsistencyTokens:
    """The newest token of each tenant: with it a read sees every write made through this object.

    Bounded: the tenants used longest ago are forgotten first, and their reads go without. May be
    used by several threads.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._tokens: OrderedDict[UUID, str] = OrderedDict()
        self._lock = Lock()

    def get(self, client_id: UUID | None) -> str | None:
        """The tenant's token, if any."""
        with self._lock:
            return self._tokens.get(client_id) if client_id else None

    def keep(self, client_id: UUID | None, token: str | None) -> None:
        """Remember what an answer gave out."""
        if client_id is None or token is None:
            return
        with self._lock:
            self._tokens[client_id] = token
            self._tokens.move_to_end(client_id)
            while len(self._tokens) > self._most:
                self._tokens.popitem(last=False)

    def forget(self, client_id: UUID) -> None:
        """Ask no longer for what this tenant's newest token names."""
        with self._lock:
            self._tokens.pop(client_id, None)


@dataclass(frozen=True, slots=True)
class Bearer:
    """What proves who is calling: an API key, or a person's tokens. Replaced as one value."""

    token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    renew_at: float | None = None
    """On the session's clock; None: it does not end, or cannot be replaced."""


@dataclass(slots=True)
class Session:
    """One principal's connection to the service. May be used by several threads."""

    base_url: str
    bearer: Bearer = field(default_factory=Bearer)
    retry: Retry = field(default_factory=Retry)
    tokens: ConsistencyTokens = field(default_factory=ConsistencyTokens)
    clock: Callable[[], float] = time.monotonic
    max_staleness: int | None = None
    """Seconds that what is read of a client may be old; None: as the service has it."""

    @property
    def is_due(self) -> bool:
        """Whether the access token ends soon and can be replaced."""
        return self.bearer.renew_at is not None and self.clock() >= self.bearer.renew_at

    def request(self, call: Call[Any], bearer: Bearer | None = None) -> httpx.Request:
        """The call as an HTTP request."""
        headers = {"User-Agent": "docshard-client", "Accept": "application/json", **call.headers}
        token = (bearer or self.bearer).token
        if token and not call.anonymous:
            headers["Authorization"] = f"Bearer {token}"
        if seen := self.tokens.get(call.client_id):
            headers["Consistency-Token"] = seen
        if self.max_staleness is not None and call.client_id and call.method in _READS:
            headers["Max-Staleness"] = str(self.max_staleness)
        return httpx.Request(
            call.method,
            self.base_url.rstrip("/") + call.path,
            params=dict(call.params),
            headers=headers,
            json=None if call.body is None else dict(call.body),
            content=call.content,
            extensions=_patience(call.timeout),
        )

    def accept(self, call: Call[T], response: httpx.Response) -> T:
        """Read a successful answer and remember what later calls need."""
        self.tokens.keep(call.client_id, response.headers.get("Consistency-Token"))
        result = call.parse(response)
        if isinstance(result, Login):
            self.adopt(result)
        if call.ends_session:
            self.forget()
        return result

    def refused(self, call: Call[Any], error: ApiError) -> ApiError:
        """Note what a refusal means for later calls."""
        if error.code == "write_lost" and call.client_id is not None:
            # Told once: reading on without that write is the caller's to decide.
            self.tokens.forget(call.client_id)
        return error

    def adopt(self, login: Login) -> None:
        """Call as this person from now on."""
        early = min(_RENEWED_BEFORE, login.expires_in / 4)
        renew_at = self.clock() + login.expires_in - early
        self.bearer = Bearer(login.access_token, login.refresh_token, renew_at)

    def forget(self) -> None:
        """Call as nobody from now on."""
        self.bearer = Bearer()


Job = Callable[[Session], Exchange[T]]
"""What one method call does, once it is told for whom."""


def _patience(timeout: float | None) -> dict[str, Any]:
    return {} if timeout is None else {"timeout": httpx.Timeout(timeout).as_dict()}

"""When a call is worth sending again, and after how long. Pure but for the jitter."""

from dataclasses import dataclass
from random import SystemRandom
from typing import Any

import httpx

from docshard_client.call import Call
from docshard_client.errors import Problem, read_problem
from docshard_client.steps import Outcome

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_HOPELESS = (httpx.UnsupportedProtocol, httpx.ProxyError)
_STORAGE_IS_TIRED = frozenset({408, 429, 500, 502, 503, 504})
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Retry:
    """How stubborn to be. Times are in seconds."""

    attempts: int = 6
    first_pause: float = 0.1
    longest_pause: float = 10.0
    """Also the longest Retry-After that is waited for; a longer one is handed to the caller."""

    def pause(self, call: Call[Any], outcome: Outcome, attempt: int) -> float | None:
        """Seconds to wait before attempt + 1, or None when this outcome is the last word."""
        if attempt >= self.attempts or not worth_repeating(call, outcome):
            return None
        asked = _asked(outcome)
        if asked > self.longest_pause:
            return None
        return max(asked, self._backoff(attempt))

    def storage_pause(self, outcome: Outcome, attempt: int) -> float | None:
        """The same for the object store: a presigned request may be made again and again."""
        if isinstance(outcome, httpx.TransportError):
            again = not isinstance(outcome, _HOPELESS)
        else:
            again = outcome.status_code in _STORAGE_IS_TIRED
        return self._backoff(attempt) if again and attempt < self.attempts else None

    def _backoff(self, attempt: int) -> float:
        backoff = min(self.longest_pause, self.first_pause * 2.0 ** (attempt - 1))
        # Jitter: clients that fell together must not come back together.
        return backoff * _random.uniform(0.5, 1)


def worth_repeating(call: Call[Any], outcome: Outcome) -> bool:
    """Whether the same request may be answered differently, and sending it twice does no harm."""
    if isinstance(outcome, httpx.TransportError):
        return _broken_is_worth_repeating(call, outcome)
    return outcome.is_error and _refused_is_worth_repeating(call, read_problem(outcome))


def _broken_is_worth_repeating(call: Call[Any], error: httpx.TransportError) -> bool:
    if isinstance(error, _HOPELESS):
        return False
    return call.repeatable or isinstance(error, _NEVER_SENT)


def _refused_is_worth_repeating(call: Call[Any], problem: Problem) -> bool:
    match problem.status, problem.code:
        case 503, "unknown" | "outcome_unknown":
            return call.repeatable  # a proxy, or a COMMIT that nobody heard the end of
        case ((429 | 503), _):
            return True
        case 409, "idempotency_in_progress":
            return True  # our own first attempt still runs; its outcome will be replayed
        case _:
            return False


def _asked(outcome: Outcome) -> float:
    if isinstance(outcome, httpx.TransportError):
        return 0.0
    return read_problem(outcome).retry_after or 0.0

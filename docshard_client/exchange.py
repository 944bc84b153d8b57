"""The conversation behind one call: attempts, pauses, redirects, new tokens, errors. No I/O."""

from dataclasses import replace
from itertools import count
from typing import Any, TypeVar

import httpx

from docshard_client.call import Call, json_as
from docshard_client.errors import (
    ConnectionFailed,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    error_for,
    read_problem,
)
from docshard_client.models import Login
from docshard_client.retry import Retry
from docshard_client.session import Bearer, Session
from docshard_client.steps import Alone, Exchange, Outcome, Pause, sent

T = TypeVar("T")

_REFRESH_TIMEOUT = 4.0
"""Seconds. Two attempts fit into the ten for which the service gives a lost answer once more."""


def exchange(session: Session, call: Call[T], retry: Retry | None = None) -> Exchange[T]:
    """Carry a call through to its result. Raises ApiError or ConnectionFailed."""
    if not call.anonymous:
        yield from renewed_in_time(session)
    used = session.bearer
    outcome = yield from _settled(session, call, used, retry or session.retry)
    if _has_expired(used, call, outcome):
        yield Alone(renewal(session, used))
        outcome = yield from _settled(session, call, session.bearer, retry or session.retry)
    if isinstance(outcome, httpx.TransportError):
        raise ConnectionFailed(f"{call.method} {call.path}: {outcome!r}") from outcome
    if outcome.is_error:
        raise session.refused(call, error_for(outcome))
    return session.accept(call, outcome)


def refreshing(refresh_token: str) -> Call[Login]:
    """The call that replaces a session's tokens."""
    return Call(
        "POST",
        "/v1/auth/refresh",
        json_as(Login),
        body={"refresh_token": refresh_token},
        anonymous=True,
        timeout=_REFRESH_TIMEOUT,
    )


def renewal(session: Session, used: Bearer) -> Exchange[None]:
    """Replace the tokens, unless somebody was faster. To be carried out alone.

    A refresh token works once, and showing an old one again ends the session: so there is one
    renewal at a time, and who waited for it finds new tokens. A lost answer is asked for again
    within the time in which the service repeats it.
    """
    if session.bearer is not used or used.refresh_token is None:
        return
    hurried = replace(session.retry, attempts=min(2, session.retry.attempts), longest_pause=1.0)
    try:
        yield from exchange(session, refreshing(used.refresh_token), hurried)
    except Unauthenticated:
        session.forget()
        raise


def renewed_in_time(session: Session) -> Exchange[None]:
    """Replace an access token that ends soon. Raises Unauthenticated when the session is over."""
    if not session.is_due:
        return
    try:
        yield Alone(renewal(session, session.bearer))
    except (ConnectionFailed, TooManyRequests, Unavailable):
        return  # the present token has a little life left


def _has_expired(used: Bearer, call: Call[Any], outcome: Outcome) -> bool:
    """Whether this refusal is of an access token that can be replaced: nothing was done then."""
    return (
        used.refresh_token is not None
        and not call.anonymous
        and isinstance(outcome, httpx.Response)
        and outcome.status_code == 401
        and read_problem(outcome).code == "unauthenticated"
    )


def _settled(session: Session, call: Call[Any], bearer: Bearer, retry: Retry) -> Exchange[Outcome]:
    """The outcome that is the last word: sending again would not change it, or went on too long."""
    for attempt in count(1):
        outcome = yield from _attempt(session, call, bearer)
        pause = retry.pause(call, outcome, attempt)
        if pause is None:
            break
        yield Pause(pause)
    return outcome


def _attempt(session: Session, call: Call[Any], bearer: Bearer) -> Exchange[Outcome]:
    outcome = yield from sent(session.request(call, bearer))
    if isinstance(outcome, httpx.Response) and _is_elsewhere(call, outcome):
        # A presigned address carries its own permission: our key must not go there.
        outcome = yield from sent(httpx.Request("GET", outcome.headers["Location"]))
    return outcome


def _is_elsewhere(call: Call[Any], response: httpx.Response) -> bool:
    return call.method == "GET" and call.follows and response.has_redirect_location

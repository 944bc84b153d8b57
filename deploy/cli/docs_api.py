"""Who `docshard docs` is and whom it calls, and what the service's refusals mean at a shell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx

from deploy.errors import NotAllowed, NotFound, OperatorError, Refused, UsageFault
from deploy.fleet.environment import parse_environment
from docshard_client import (
    ApiError,
    Conflict,
    ConnectionFailed,
    Docshard,
    DocshardError,
    FileChanged,
    Forbidden,
    InvalidRequest,
    PreconditionFailed,
    Unauthenticated,
)
from docshard_client import NotFound as Absent

_ADVICE = (
    "Set DOCSHARD_API and DOCSHARD_API_KEY (or DOCSHARD_API_KEY_FILE), "
    "or start the local fleet with `docshard up`."
)


@dataclass(frozen=True)
class Caller:
    """An address, a key, and the tenant if it is named."""

    api: str
    key: str = field(repr=False)
    client_id: UUID | None


@dataclass(frozen=True)
class Desk:
    """A connection as one tenant."""

    api: Docshard
    client_id: UUID


@contextmanager
def tenant_desk() -> Iterator[Desk]:
    """Connect as the environment says; refusals leave as what they mean to a person."""
    caller = find_caller(os.environ)
    with told_at_a_shell(), _http(caller.api) as http:
        api = Docshard(caller.api, caller.key, http=http)
        yield Desk(api, caller.client_id or _own_client(api))


def find_caller(environment: Mapping[str, str]) -> Caller:
    """Who calls whom. Raises UsageFault when that is not said.

    The local fleet's file counts only when no address is set: its key must not go elsewhere.
    """
    known = environment
    if not environment.get("DOCSHARD_API"):
        known = {**_local(environment), **environment}
    own = _own_key(known)
    key = own or known.get("DOCSHARD_DEMO_KEY")
    if not known.get("DOCSHARD_API") or not key:
        raise UsageFault("It is not said which service to call, or with which key.", "", _ADVICE)
    client = known.get("DOCSHARD_CLIENT_ID") or (
        None if own else known.get("DOCSHARD_DEMO_CLIENT_ID")
    )
    return Caller(known["DOCSHARD_API"], key, _uuid("DOCSHARD_CLIENT_ID", client))


def document_id(text: str) -> UUID:
    """A document's id from the command line."""
    found = _uuid("The document's id", text)
    if found is None:
        raise UsageFault("The document's id is empty.")
    return found


def _local(environment: Mapping[str, str]) -> Mapping[str, str]:
    file = Path(environment.get("DOCSHARD_HOME", ".docshard"), "env")
    return parse_environment(file.read_text()) if file.is_file() else {}


def _own_key(known: Mapping[str, str]) -> str | None:
    if key := known.get("DOCSHARD_API_KEY"):
        return key
    if not (name := known.get("DOCSHARD_API_KEY_FILE")):
        return None
    try:
        return Path(name).read_text().strip()
    except OSError as error:
        raise UsageFault(
            f"The key cannot be read: {error}.", "", "Correct DOCSHARD_API_KEY_FILE."
        ) from error


def _uuid(name: str, text: str | None) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise UsageFault(f"{name} is not a UUID: {text}.") from None


def _http(api: str) -> httpx.Client:
    near = httpx.URL(api).host in {"127.0.0.1", "::1", "localhost"}
    return httpx.Client(timeout=30, trust_env=not near)  # no proxy stands before loopback


def _own_client(api: Docshard) -> UUID:
    found = {grant.client_id for grant in api.get_me().grants}
    if len(found) == 1 and (client_id := found.pop()) is not None:
        return client_id
    raise UsageFault(
        "It is not said which tenant is meant.",
        "This key belongs to none, or to several.",
        "Set DOCSHARD_CLIENT_ID.",
    )


@contextmanager
def told_at_a_shell() -> Iterator[None]:
    """Turn what the SDK raises into what happened, what it means, what to do, and a status."""
    try:
        yield
    except ApiError as error:
        raise _refusal(error) from error
    except ConnectionFailed as error:
        raise OperatorError(
            f"No answer came: {error}.",
            "What was asked for last may have happened or not.",
            "See whether the service is up (`docshard status` for the local fleet); try again.",
        ) from error
    except FileChanged as error:
        raise OperatorError(
            f"{error}.", "Nothing was stored or written.", "Try again while nobody writes to it."
        ) from error
    except DocshardError as error:
        raise OperatorError(
            f"The transfer failed: {error}.", "Nothing was stored or written.", "Try again later."
        ) from error
    except OSError as error:
        raise OperatorError(f"{error}.", "", "Correct the path or its permissions.") from error


def _refusal(error: ApiError) -> OperatorError:
    happened, asked = f"{error.detail} ({error.code})", f"Request {error.request_id}"
    match error:
        case Absent():
            return NotFound(happened, "It does not exist, or this key may not see it.", asked)
        case Unauthenticated():
            return NotAllowed(
                happened, "The key is unknown, revoked or expired.", "Ask for a new one."
            )
        case Forbidden():
            advice = f"A key with more scopes may. {asked}"
            return NotAllowed(happened, "This key may not do this.", advice)
        case PreconditionFailed() | Conflict():
            return Refused(
                happened, "It is not in a state that allows this; nothing changed.", asked
            )
        case InvalidRequest():
            faults = "\n".join(map(_fault, error.problem.errors))
            return UsageFault(happened, faults, "Correct the arguments.")
        case _:
            means = "The service could not do it now; nothing is known to be wrong with the call."
            return OperatorError(happened, means, f"Try again later. {asked}")


def _fault(fault: object) -> str:
    return (
        f"{fault.get('pointer')}: {fault.get('message')}" if isinstance(fault, dict) else str(fault)
    )

"""The calls of the authorisation matrix: each operation by each actor, on each target."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import orjson

from tests.acceptance.api import make_key
from tests.acceptance.matrix_cast import STATUS, Cast
from tests.acceptance.matrix_operations import KNOWN, OPENAPI, Operation
from tests.acceptance.stage import KEY_SCOPES, Actor
from tests.access_model import Target, refusal

T = TypeVar("T")
AT_ONCE = 12
HUGE = b'{"original_name": "' + b"x" * 1100 * 1024 + b'"}'
# They differ from answer to answer, whatever was asked.
_VOLATILE = {"date", "request-id", "ratelimit", "server-timing", "retry-after"}


@dataclass(frozen=True)
class Variant:
    """How a request is dressed: its body and what else a caller may send along."""

    name: str
    body: bytes | None = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""


def variants(operation: Operation) -> Iterator[Variant]:
    """Every dress that may make a difference: bodies, preconditions, keys, cursors, filters."""
    yield Variant("bare")
    for name, value in (
        *(("If-Match", '"1"'), ("If-Match", "*"), ("If-Match", "nonsense")),
        *(("If-None-Match", '"1"'), ("If-None-Match", "*")),
        *(("Idempotency-Key", "matrix"), ("Idempotency-Key", "k" * 300), ("Range", "bytes=0-0")),
    ):
        yield Variant(f"{name} {value[:20]}", operation.harmless, headers={name: value})
    for query in ("limit=0", "cursor=x", "deleted=include", "proxy=true", "proxy=perhaps", "x=1"):
        yield Variant(f"?{query}", operation.harmless, query=query)
    if operation.method in {"POST", "PUT", "PATCH"}:
        yield Variant("a valid body", _example(operation))
        yield Variant("unknown members", b'{"colour": 1}')
        yield Variant("not JSON", b"{")
        yield Variant("nothing of the type", b"[]", "text/plain")
        yield Variant("huge", HUGE)


def everything(operation: Operation, people: Sequence[str]) -> Iterator[tuple[str, list[Variant]]]:
    """Everybody with every variant."""
    for name in people:
        yield name, list(variants(operation))


def shared(operation: Operation, people: Sequence[str]) -> Iterator[tuple[str, list[Variant]]]:
    """Everybody with half of the variants, and every variant with two people, one with a session
    and one with a key: they stand beside each other. Which ones, depends on the operation."""
    first = KNOWN.index(operation)
    for place, name in enumerate(people):
        turn = (first + place // 2) % 2
        yield name, list(variants(operation))[turn::2]


Sharing = Callable[[Operation, Sequence[str]], Iterator[tuple[str, list[Variant]]]]
STRANGERS = ("other's owner", "other's key", "suspended's key", "user without roles")
INMATES = ("owner", "own key", "viewer", "own key for reports")


def _example(operation: Operation) -> bytes:
    body = OPENAPI["paths"][operation.path][operation.method.lower()].get("requestBody")
    if operation.takes != "application/json" or body is None:
        return b"bytes"
    name = body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    return orjson.dumps(OPENAPI["components"]["schemas"][name]["examples"][0])


@dataclass(frozen=True)
class Caller:
    """Sends requests, a bounded number at a time."""

    http: httpx.AsyncClient
    turns: asyncio.Semaphore

    async def call(
        self, operation: Operation, bearer: str | None, ids: Mapping[str, Any], variant: Variant
    ) -> httpx.Response:
        """Make one call."""
        headers = {"Content-Type": variant.media_type, **variant.headers}
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        path = operation.at(ids) + (f"?{variant.query}" if variant.query else "")
        request = self.http.build_request(
            operation.method, path, content=variant.body, headers=headers
        )
        async with self.turns:
            for _ in range(9):
                # A refusal that does not read the body ends the connection: its reset may overtake
                # the answer, which then is lost on the way and asked for again.
                with contextlib.suppress(httpx.ReadError, httpx.WriteError):
                    return await self.http.send(request)
            return await self.http.send(request)


async def all_of(work: Iterable[Awaitable[T]]) -> list[T]:
    """Do all of it side by side."""
    return list(await asyncio.gather(*work))


def code_of(operation: Operation, answer: httpx.Response) -> str | None:
    """The problem's code; an answer to HEAD has no body."""
    if answer.is_success or answer.is_redirect:
        return None
    return None if operation.method == "HEAD" else str(answer.json()["code"])


def shape_of(operation: Operation, answer: httpx.Response) -> dict[str, Any]:
    """Everything an answer tells, less what differs from answer to answer by nature."""
    headers = {name: v for name, v in answer.headers.multi_items() if name not in _VOLATILE}
    problem = {} if operation.method == "HEAD" else dict(answer.json())
    for name in ("request_id", "instance"):
        problem.pop(name, None)
    headers.pop("content-length", None)  # the problem names its own address, foreign or absent
    return {
        "status": answer.status_code,
        "names": sorted(set(answer.headers)),
        "headers": headers,
        "problem": problem,
    }


# The cells of the matrix


@dataclass(frozen=True)
class Cell:
    """One actor at one target."""

    actor: Actor
    target: Target
    ids: Mapping[str, Any]


def cells(operation: Operation, cast: Cast) -> Iterator[Cell]:
    """Every actor at every target: each client, and things that exist or do not."""
    for actor in cast.actors:
        for target, ids in _targets(operation, cast):
            yield Cell(actor, target, ids)


def _targets(operation: Operation, cast: Cast) -> Iterator[tuple[Target, Mapping[str, Any]]]:
    nothing = {name: str(uuid4()) for name in operation.names - {"number"}}
    if not operation.on_client:
        yield Target(), cast.service
        if operation.names:
            yield Target(exists=False), {**cast.service, **nothing}
        return
    for client, status in STATUS.items():
        inside = cast.clients[client]
        yield Target(client, status, exists=status is not None), inside
        if status is not None and nothing:
            yield Target(client, status, exists=False), {**inside, **nothing}


def expected(operation: Operation, cell: Cell) -> tuple[int | None, str | None]:
    """(status, code) as the contract has it; status None where only the code is known."""
    code = refusal(cell.actor.caller, operation.row.rule, cell.target)
    return (operation.row.passes, None) if code is None else (STATUSES[code], code)


STATUSES: Mapping[str, int] = {
    "unauthenticated": 401,
    "not_found": 404,
    "forbidden": 403,
    "client_suspended": 403,
    "client_inactive": 403,
}


def fresh(cast: Cast, operation: Operation, cell: Cell) -> tuple[str | None, Mapping[str, Any]]:
    """Bearer and ids for a call that uses its target up: something made for it alone."""
    stage, ids = cast.stage, dict(cell.ids)
    match operation.name:
        case "delete_client":
            ids["client_id"] = stage.client()
        case "abort_upload":
            ids["upload_id"] = stage.upload(ids["client_id"], ids["document_id"])
        case "revoke_api_key":
            ids["key_id"] = make_key(stage.admin, ids["client_id"], KEY_SCOPES)["id"]
        case "delete_user":
            ids["user_id"] = stage.user()["id"]
        case "delete_role":
            ids["role_id"] = stage.role("client:read")["id"]
        case "revoke_role":
            ids["grant_id"] = stage.grant(ids["user_id"], "viewer", stage.client())["id"]
        case "logout" if cell.actor.email is not None:
            return stage.token(cell.actor.email, cell.actor.password), ids
    return cell.actor.bearer, ids

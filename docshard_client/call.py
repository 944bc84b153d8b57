"""A call: one request as a value, and how to read its answer. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar
from uuid import UUID

import httpx
from pydantic import JsonValue

from docshard_client.model import Model, Page
from docshard_client.models import Document

T = TypeVar("T")
M = TypeVar("M", bound=Model)
D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request that has not been sent; sending it many times sends the same bytes.

    What may hold secrets does not show in its repr.
    """

    method: str
    path: str
    parse: Callable[[httpx.Response], T]
    client_id: UUID | None = None
    """The tenant whose Consistency-Token goes along and is kept."""
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, JsonValue] | None = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    """Whether sending it again is right when nobody knows if the first one took effect."""
    anonymous: bool = False
    """It proves by itself who is calling, or nobody has to."""
    ends_session: bool = False
    """Whether nobody is logged in after it."""
    follows: bool = True
    """Whether a GET that is sent elsewhere goes there."""
    timeout: float | None = None
    """Seconds without a byte before it counts as broken; None: the usual."""


def following(call: Call[Page[T]], page: Page[T]) -> Call[Page[T]] | None:
    """The call for the page after this one; None at the end."""
    if page.next_cursor is None:
        return None
    return replace(call, params={**call.params, "cursor": page.next_cursor})


def json_as(kind: type[M]) -> Callable[[httpx.Response], M]:
    """Read the JSON body as this model. Raises pydantic.ValidationError for another shape."""
    return lambda response: kind.model_validate_json(response.content)


def items_of(kind: type[M]) -> Callable[[httpx.Response], tuple[M, ...]]:
    """Read a list that comes whole."""
    return lambda response: Page[kind].model_validate_json(response.content).items  # type: ignore[valid-type]  # made while running


def nothing(_: httpx.Response) -> None:
    """Read an answer that says nothing but that it succeeded."""


def raw(response: httpx.Response) -> bytes:
    """Read the body as it is."""
    return response.content


def etag(response: httpx.Response) -> str:
    """Read the ETag alone."""
    return str(response.headers["ETag"])


def address(response: httpx.Response) -> str:
    """Read where an answer sends us."""
    return str(response.headers["Location"])


def with_etag(kind: type[D]) -> Callable[[httpx.Response], D]:
    """Read a document together with its ETag, which travels as a header."""

    def parse(response: httpx.Response) -> D:
        found = kind.model_validate_json(response.content)
        return found.model_copy(update={"etag": response.headers.get("ETag", found.etag)})

    return parse


document = with_etag(Document)

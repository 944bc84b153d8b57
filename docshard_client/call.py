"""A call: one request as a value, and how to read its answer. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar
from uuid import UUID

import httpx
from pydantic import JsonValue

from docshard_client.models import Document, Model, Page

T = TypeVar("T")
M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request that has not been sent; sending it many times sends the same bytes."""

    method: str
    path: str
    parse: Callable[[httpx.Response], T]
    client_id: UUID | None = None
    """The tenant whose Consistency-Token goes along and is kept."""
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, JsonValue] | None = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    """Whether sending it again is right when nobody knows if the first one took effect."""


def following(call: Call[Page[T]], page: Page[T]) -> Call[Page[T]] | None:
    """The call for the page after this one; None at the end."""
    if page.next_cursor is None:
        return None
    return replace(call, params={**call.params, "cursor": page.next_cursor})


def json_as(kind: type[M]) -> Callable[[httpx.Response], M]:
    """Read the JSON body as this model. Raises pydantic.ValidationError for another shape."""
    return lambda response: kind.model_validate_json(response.content)


def nothing(_: httpx.Response) -> None:
    """Read an answer that says nothing but that it succeeded."""


def raw(response: httpx.Response) -> bytes:
    """Read the body as it is."""
    return response.content


def document(response: httpx.Response) -> Document:
    """Read a document together with its ETag, which travels as a header."""
    found = Document.model_validate_json(response.content)
    return found.model_copy(update={"etag": response.headers.get("ETag", found.etag)})

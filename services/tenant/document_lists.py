"""Lists of a tenant's documents: filtered, sorted or ranked, page by page."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from global_db.values import value
from services.access.admission import TenantAccess
from services.committed import read
from services.cursor import ListScope, Position
from services.pages import Page, PageRequest, start_of
from services.resources import Resources
from shards.document_query import DocumentFilter, Place, Sort, chosen
from shards.documents import Document
from shards.search import Found, Search
from shards.tenants import TenantRead

__all__ = ["DocumentFilter", "DocumentList", "Sort", "list_documents"]


@value
class DocumentList:
    """Which documents, in which order: None means by relevance with `q`, else newest first."""

    wanted: DocumentFilter
    sort: Sort | None = None


_FILTERS: Final = tuple(field.name for field in fields(DocumentFilter))


async def list_documents(
    resources: Resources, access: TenantAccess, asked: DocumentList, request: PageRequest
) -> Page[Document]:
    """A page of documents.

    It may hold fewer than asked for, even none, and yet have a next one: a page's work is bounded.

    Raises:
        InvalidCursor.
    """
    sort = chosen(asked.wanted, asked.sort)
    filters = {name: getattr(asked.wanted, name) for name in _FILTERS}
    scope = ListScope("documents", access.client_id, {**filters, "sort": sort})
    cursors = resources.secrets.cursors
    position = await start_of(cursors, scope, request)
    place = None if position is None else _place(position, sort)

    async def work(tenant: TenantRead) -> Found:
        return await Search(tenant, asked.wanted, sort, request.limit).page(place)

    found = await read(resources, access.client_id, work, access.reading)
    following = None if found.next is None else cursors.encode(scope, _position(found.next))
    return Page(found.documents, following)


def _position(place: Place) -> Position:
    return (place.way, _flat(place.key), _flat(place.start), place.dense)


def _place(position: Position, sort: Sort) -> Place:
    way, key, start, dense = position
    timed = sort.removeprefix("-") in {"created_at", "updated_at"}
    return Place(way, _pair(key, timed=timed), _pair(start, timed=True), dense)


def _flat(pair: tuple[Any, UUID] | None) -> list[Any] | None:
    if pair is None:
        return None
    value, row_id = pair
    return [value.isoformat() if isinstance(value, datetime) else value, str(row_id)]


def _pair(flat: list[Any] | None, *, timed: bool) -> tuple[Any, UUID] | None:
    if flat is None:
        return None
    value, row_id = flat
    return datetime.fromisoformat(value) if timed else value, UUID(row_id)

"""Lists of documents in every order and with every filter, a page at a time, each of bounded work.

What decides is what was found, never the planner's statistics:

- *Sorted lists* walk along the index of their sort. Rows that match are common, and the page is
  soon full, or ends short; or they are not, and after a short walk others are asked: the indexes
  by mime type and time, when they leave little, and the GIN indexes, when they know few matches.
  If all of them know many, the matches lie elsewhere in the order: the page ends short, even
  empty, and the next ones walk on from there.
- *Ranked lists* begin with the newest documents that the filters leave. Are there no others, all
  are ranked. Else the GIN index gives the names that hold all words, and after them those that
  resemble the text, when they are few. When they are many, ranking all of them would mean little:
  they are ranked in slices, newest first. Among the newest it shows which way is right.

Either way every document comes exactly once. A `Place` remembers which way was taken, so that the
next page takes it at once. Nothing that is inserted meanwhile shifts a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from global_db.connection import Row
from global_db.statement import ReadStatement
from global_db.values import value
from shards import document_statements as statements
from shards.document_query import (
    BOUNDS,
    Bounds,
    DocumentFilter,
    Match,
    Place,
    Shape,
    Sort,
    Way,
    after,
)
from shards.documents import Document
from shards.tenants import TenantRead


@value
class Found:
    """A page, and where the next one begins; None after the last."""

    documents: list[Document]
    next: Place | None


@value
class Search:
    """A list that is being read: by whom, what, in which order, how many at a time."""

    tenant: TenantRead
    wanted: DocumentFilter
    sort: Sort
    limit: int
    bounds: Bounds = BOUNDS

    async def page(self, place: Place | None) -> Found:
        """The page that begins at `place`."""
        if self.sort == "relevance":
            return await self._ranked(place)
        return await self._sorted(place)

    # Sorted lists

    async def _sorted(self, place: Place | None) -> Found:
        way, key = ("walk", None) if place is None else (place.way, place.key)
        shape = self._shape(self._match, key)
        if not shape.loose:
            return await self._straight(shape, key)
        if place is None or not place.dense:
            found = await self._quick(way, key)
            if found is not None:
                return found
        return await self._walk(key, self._bound(self.bounds.walk), dense=True)

    async def _quick(self, way: Way, key: _Key) -> Found | None:
        """The page from a short walk or, when few match there, from what others know.

        When they know too many, it stays short, and the next ones are walked for.
        """
        short = None
        if way == "walk":
            short = await self._walk(key, self._bound(self.bounds.probe))
            few = len(short.documents) < min(self.limit, self.bounds.common)
            if short.next is None or not few:
                return short
        for attempt in (self._slice, self._index):
            found = await attempt(key)
            if found is not None:
                return found
        if short is None or short.next is None:
            return None
        return replace(short, next=replace(short.next, dense=True))

    async def _straight(self, shape: Shape, key: _Key) -> Found:
        statement = statements.straight(shape)
        values = self._values(key, self.limit + 1)
        found = [Document(*one) for one in await self.tenant.tuples(statement, **values)]
        page = found[: self.limit]
        if len(found) <= self.limit:
            return Found(page, None)
        last = page[-1]
        return Found(page, Place("walk", (getattr(last, self.sort.removeprefix("-")), last.id)))

    async def _walk(self, key: _Key, most: int, *, dense: bool = False) -> Found:
        shape = self._shape(self._match, key)
        rows = await self._rows(statements.walk(shape, most), key, most)
        matches = [row for row in rows if row["matched"]]
        page = matches[: self.limit]
        if len(matches) > self.limit:
            return Found(_documents(page), Place("walk", self._key(page[-1]), dense=dense))
        if rows and rows[-1]["place"] == most:
            return Found(_documents(page), Place("walk", self._key(rows[-1]), dense=dense))
        return Found(_documents(page), None)

    async def _slice(self, key: _Key) -> Found | None:
        """The page from what the indexes by mime type and time leave, when that is little."""
        if not self._given - {"metadata"} or self.sort.removeprefix("-") == "created_at":
            return None
        most = self._bound(self.bounds.matches)
        statement = statements.ranked(self._shape(self._match, key), most, most)
        rows = await self._rows(statement, key, most)
        if _last(rows) is not None:
            return None
        return self._found(self._best(rows), "slice")

    async def _index(self, key: _Key) -> Found | None:
        """The page from what the GIN indexes know, when that is little."""
        if not (self.wanted.has_trigram or self.wanted.has_leaf):
            return None
        rows = await self._known(self._match, key, self.bounds.matches)
        return None if rows is None else self._found(rows, "index")

    @property
    def _match(self) -> Match | None:
        if self.wanted.q is None:
            return None
        return "any" if self.wanted.words else "text"

    # Ranked lists

    async def _ranked(self, place: Place | None) -> Found:
        if place is None or place.way == "whole":
            found = await self._first(place)
            if isinstance(found, Found):
                return found
            place = found
        if place.way == "words":
            found = await self._phase("words", place)
            if found.next is not None or found.documents:
                # Who found what was asked for does not wait for what only resembles it.
                return _then_similar(found, dense=place.dense)
            place = Place("similar", dense=place.dense)
        return await self._phase("similar", place)

    async def _first(self, place: Place | None) -> Found | Place:
        """The page, when the newest are all there are; else where the phases begin."""
        key, start = (None, None) if place is None else (place.key, place.start)
        rows = await self._slice_rows("any", key, start, self.bounds.first)
        newest = _first(rows)
        if newest is None or _last(rows) is None:
            return _from(self._found(self._best(rows), "whole"), start, newest)
        many = newest["strict"] >= self.bounds.dense or not self.wanted.has_trigram
        alike = newest["alike"] >= self.bounds.dense
        slices = Place("words", start=_before(newest), dense=alike)
        if not many and len(self.wanted.words) > 1:
            # Each word may be common, and looked up together they cost as much as each.
            found = await self._phase("words", slices)
            if len(found.documents) >= min(self.limit, self.bounds.common):
                return _then_similar(found, dense=alike)
        return slices if many else Place("words", dense=alike)

    async def _phase(self, match: Match, place: Place) -> Found:
        """A page of names that hold all words, or of those that only resemble the text."""
        if place.start is None and not (match == "similar" and place.dense):
            # More may have come since the first page; where it began, it goes on.
            most = self.bounds.ranked if place.key is None else self.bounds.ranked * 4
            known = await self._known(match, place.key, most)
            if known is not None:
                return self._found(known, place.way, dense=place.dense)
        most = self.bounds.probe if match == "words" else self.bounds.named
        rows = await self._slice_rows(match, place.key, place.start, most)
        found = self._found(self._best(rows), place.way, dense=place.dense)
        end = _last(rows)
        if found.next is None and end is not None:
            behind = (end["created_at"], end["id"])
            return replace(found, next=Place(place.way, start=behind, dense=place.dense))
        return _from(found, place.start, _first(rows))

    # Statements

    async def _slice_rows(
        self, match: Match, key: _Key, start: tuple[datetime, UUID] | None, most: int
    ) -> Sequence[Row]:
        shape = replace(self._shape(match, key), started=start is not None)
        # The first look tells whether there are more documents: no match ends it.
        passing = most if match == "any" else self.bounds.sliced
        statement = statements.ranked(shape, most, passing)
        return await self._rows(statement, key, most, start)

    async def _known(self, match: Match | None, key: _Key, most: int) -> list[Row] | None:
        """What the GIN indexes know; None when that is more than `most`."""
        rows = await self._rows(statements.indexed(self._shape(match, key)), key, most)
        if rows and rows[0]["overflow"]:
            return None
        return [row for row in rows if row["id"] is not None]

    async def _rows(
        self, statement: ReadStatement, key: _Key, most: int, start: _Key = None
    ) -> Sequence[Row]:
        return await self.tenant.all(statement, **self._values(key, most, start))

    def _values(self, key: _Key, most: int, start: _Key = None) -> dict[str, Any]:
        """All that any statement of a list may want."""
        wanted = self.wanted
        return {
            "q": wanted.q,
            "patterns": [f"%{word}%" for word in wanted.words],
            **{name: getattr(wanted, name) for name in _FILTERS},
            **_bound_key("key", key),
            **_bound_key("start", start),
            "most": most,
            "limit": self.limit + 1,
        }

    def _shape(self, match: Match | None, key: _Key) -> Shape:
        sought = self.wanted.has_trigram or match == "similar"
        further = key is not None
        return Shape(self.sort, self.wanted.deleted, self._given, match, further, sought=sought)

    @property
    def _given(self) -> frozenset[str]:
        return frozenset(name for name in _FILTERS if getattr(self.wanted, name) is not None)

    def _bound(self, most: int) -> int:
        """Fewer rows when names are compared by similarity; never less than a page."""
        fewer = min(most, self.bounds.named) if self._match == "any" else most
        return max(fewer, self.limit + 1)

    def _found(self, rows: Sequence[Row], way: Way, *, dense: bool = False) -> Found:
        page = rows[: self.limit]
        more = len(rows) > self.limit
        place = Place(way, self._key(page[-1]), dense=dense) if more else None
        return Found(_documents(page), place)

    def _best(self, rows: Sequence[Row]) -> list[Row]:
        """The matches of a slice in their order; its edges stood apart."""
        descending = self.sort.startswith("-") or self.sort == "relevance"
        matches = [row for row in rows if row["matched"]]
        return sorted(matches, key=self._key, reverse=descending)

    def _key(self, row: Row) -> tuple[Any, UUID]:
        return row[self.sort.removeprefix("-")], row["id"]


_Key = tuple[Any, UUID] | None
_FILTERS = ("mime_type", "metadata", "created_after", "created_before")
_COLUMNS = itemgetter(*(field.name for field in fields(Document)))


def _documents(rows: Sequence[Row]) -> list[Document]:
    return [Document(*_COLUMNS(row)) for row in rows]


def _first(rows: Sequence[Row]) -> Row | None:
    return next((row for row in rows if row["first"]), None)


def _last(rows: Sequence[Row]) -> Row | None:
    return next((row for row in rows if row["last"]), None)


def _before(newest: Row) -> tuple[datetime, UUID]:
    """The start of a slice that begins with this row."""
    return newest["created_at"], after(newest["id"])


def _from(found: Found, start: tuple[datetime, UUID] | None, newest: Row | None) -> Found:
    """Keep the next page within the slice of this one, whatever is inserted before it."""
    if found.next is None or newest is None:
        return found
    return replace(found, next=replace(found.next, start=start or _before(newest)))


def _then_similar(found: Found, *, dense: bool) -> Found:
    return found if found.next is not None else replace(found, next=Place("similar", dense=dense))


def _bound_key(name: str, key: _Key) -> dict[str, Any]:
    value, row_id = key or (None, None)
    return {f"{name}_value": value, f"{name}_id": row_id}

"""What a list of documents is asked for, and where in it a page begins. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from global_db.values import value

Deleted = Literal["exclude", "include", "only"]
Sort = Literal[
    "relevance",
    "created_at",
    "-created_at",
    "original_name",
    "-original_name",
    "updated_at",
    "-updated_at",
]
Match = Literal["words", "similar", "any", "text"]
Way = Literal["walk", "slice", "index", "whole", "words", "similar"]

_MOST_WORDS = 8
_WORD = re.compile(r"[^\W_]+")


@value
class DocumentFilter:
    """Which documents a list holds; None means any.

    `q`: the name holds all its words, in any case, or a part of it resembles the text. A text
    without any letter or digit is looked for as it is. `metadata` must be contained.
    `created_after` is inclusive, `created_before` exclusive.
    """

    deleted: Deleted = "exclude"
    mime_type: str | None = None
    q: str | None = None
    metadata: dict[str, Any] | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What a name must hold: runs of letters and digits of `q`, the longest few of them."""
        found = dict.fromkeys(_WORD.findall(self.q or ""))
        return tuple(sorted(found, key=len, reverse=True)[:_MOST_WORDS])

    @property
    def has_trigram(self) -> bool:
        """Whether the words can be looked up: an index of trigrams knows no shorter ones."""
        return any(len(word) >= 3 for word in self.words)

    @property
    def has_leaf(self) -> bool:
        """Whether the metadata can be looked up: the index knows the paths to plain values only."""
        return self.metadata is not None and any(_leaves(self.metadata))


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many rows each way may look at; what one takes is in docs/search.md."""

    probe: int = 1_000
    """Of a first walk, before others are asked, and of a slice whose names must hold all words."""
    walk: int = 1_500
    """Of a walk when nothing else helps."""
    first: int = 150
    """Of the newest documents that a search looks at first."""
    named: int = 400
    """Of a walk or slice that compares names by similarity, which is dear."""
    matches: int = 1_000
    """Of those that the other indexes may give."""
    ranked: int = 300
    """Of those that the GIN index may give to be ranked together."""
    sliced: int = 80
    """Matches at which a slice ends."""
    common: int = 5
    """Matches of a first walk or slice from which the GIN indexes are not asked: they know more."""
    dense: int = 4
    """The same, among the newest that a search looks at first."""


BOUNDS = Bounds()


@value
class Place:
    """Where a page begins: behind `key` (the sort's value and the id), found in this `way`.

    - `walk`: along the sort's index, as far as it takes.
    - `slice`: all that the other indexes leave is little: take it and sort.
    - `index`: the GIN index knows few matches: take them and sort.
    - `whole`, `words`, `similar`: ranked by relevance; see `search`.

    `start` is the end of the documents, newest first, that were ranked before: None for those that
    the GIN index found. `dense`: many names resemble the text.
    """

    way: Way
    key: tuple[Any, UUID] | None = None
    start: tuple[datetime, UUID] | None = None
    dense: bool = False


@value
class Shape:
    """A combination: which filters are given, how names match, the order, and what is behind it."""

    sort: Sort
    deleted: Deleted
    given: frozenset[str]
    """Of mime_type, metadata, created_after and created_before."""
    match: Match | None
    further: bool
    """Whether the page begins behind a key."""
    started: bool = False
    """Whether the slice begins behind `start`."""
    sought: bool = True
    """Whether the GIN index can look the names up; else they are checked."""

    @property
    def column(self) -> str:
        """What is sorted by."""
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Best, newest or last name first."""
        return self.sort.startswith("-") or self.sort == "relevance"

    @property
    def loose(self) -> bool:
        """Whether the walk meets rows that do not belong, since its index cannot tell."""
        unindexed = {"metadata"} if self.column == "created_at" else self.given
        return self.match is not None or bool(self.given & unindexed)


def chosen(wanted: DocumentFilter, sort: Sort | None) -> Sort:
    """The sort that is meant when none is named: by relevance where there is any."""
    if sort == "relevance" or (sort is None and wanted.q is not None):
        return "relevance" if wanted.words else "-created_at"
    return sort or "-created_at"


def _leaves(value: Any) -> Iterator[bool]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    else:
        yield True


def after(row_id: UUID) -> UUID:
    """The id that follows: what is before it includes `row_id` itself."""
    return UUID(int=min(row_id.int + 1, 2**128 - 1))

"""How audit logs are listed: newest first, along an index, a bounded number of rows at a time.

A log's partitions are months. With a DEFAULT partition among them PostgreSQL does not know that
their order is the list's: it opens all of them to find the newest row. So a page asks *windows* of
time: the month in which it begins, where most pages end, and only then what is older. Each window
names its times, and partitions beyond them are never opened.

No set of indexes serves every combination of filters. What the walked index does not know is
checked on its rows, at most `MOST` in a window: then a page ends short, even empty, and the next
one goes on from there (as lists of documents do).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa

from global_db.connection import Row

T = TypeVar("T")
Filter = TypeVar("Filter", bound="AuditFilter")

MOST = 1_000
"""Rows that one window of a page may look at."""

_TIME = sa.DateTime(timezone=True)
_MOST = sa.bindparam("most", type_=sa.Integer)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries a list holds; None means any. `since` is inclusive, `until` exclusive."""

    user_id: UUID | None = None
    action: str | None = None
    entity_type: str | None = None
    entity_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def given(self) -> dict[str, Any]:
        """The filters that are not None, by name."""
        values = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: value for name, value in values if value is not None}


@dataclass(frozen=True, slots=True, order=True)
class AuditPosition:
    """A place in a log: an entry's time and id. Newer places are greater."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Walked(Generic[T]):
    """Some entries, newest first; and where the walk ended, None after the log's last entry."""

    rows: list[T]
    end: AuditPosition | None


@dataclass(frozen=True, slots=True)
class Step(Generic[Filter]):
    """A window to ask: what lies behind `before`, at most `page` rows that match, of `most`.

    What is asked answers those rows with `matched` and `place`, their number in the walk; and the
    last of `most`, matching or not.
    """

    wanted: Filter
    before: AuditPosition | None
    page: int
    most: int

    @property
    def shape(self) -> tuple[frozenset[str], bool]:
        """What the statement of this step depends on."""
        return frozenset(self.wanted.given()), self.before is not None

    def parameters(self) -> dict[str, Any]:
        """The statement's values."""
        before = self.before
        behind = {} if before is None else {"before_at": before.created_at, "before_id": before.id}
        return self.wanted.given() | behind | {"page": self.page, "most": self.most}


async def walk(
    ask: Callable[[Step[Filter]], Awaitable[Sequence[Row]]],
    wanted: Filter,
    before: AuditPosition | None,
    limit: int,
    most: int = MOST,
) -> Walked[Row]:
    """A page of at most `limit` entries, from behind `before`; `most` is more than `limit`."""
    found: list[Row] = []
    for window in windows(wanted, before, datetime.now(UTC)):
        step = Step(window, before, limit + 1 - len(found), most)
        rows = await ask(step)
        found += [row for row in rows if row["matched"]]
        if len(found) > limit:
            return Walked(found[:limit], position(found[limit - 1]))
        if rows and rows[-1]["place"] == most:
            return Walked(found, position(rows[-1]))
    return Walked(found, None)


def windows(wanted: Filter, before: AuditPosition | None, now: datetime) -> Iterator[Filter]:
    """The month in which a page begins, and what is older; nothing newer is left out.

    A clock that is behind the database's only makes the first window longer than it has to be.
    """
    ends = [now, wanted.until or now, before.created_at if before else now]
    month = min(ends).astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if wanted.since is not None and wanted.since >= month:
        yield wanted
    else:
        yield replace(wanted, since=month)
        yield replace(wanted, until=month)


def position(row: Row) -> AuditPosition:
    """Where an entry stands."""
    return AuditPosition(row["created_at"], row["id"])


@dataclass(frozen=True, slots=True)
class Log:
    """An audit log's table, and which filters have an index, the choosiest first.

    `scope` says whose rows are read, by what stands `around` the walk in the statement.
    """

    table: sa.Table
    indexed: tuple[str, ...]
    scope: tuple[sa.ColumnElement[bool], ...] = ()
    around: tuple[sa.FromClause, ...] = ()


def walking(log: Log, given: frozenset[str], *, further: bool) -> sa.Subquery:
    """The rows of a step, from which the caller selects those that `chosen` names."""
    table = log.table
    driver = next((name for name in log.indexed if name in given), None)
    conditions = [*log.scope, *_times(table, given)]
    if driver is not None:
        conditions.append(_equal(table, driver))
    if further:
        conditions += _behind(table)
    run = (
        sa.select(table)
        .where(*conditions)
        .order_by(table.c.created_at.desc(), table.c.id.desc())
        .limit(_MOST)
        .correlate(*log.around)
        .subquery("run")
    )
    # Ordered again, which costs nothing: a level that asks for no order forgets the one it has.
    place = sa.func.row_number().over(order_by=[run.c.created_at.desc(), run.c.id.desc()])
    numbered = sa.select(run, place.label("place")).subquery("numbered")
    rest = sorted(given - {driver, "since", "until"})
    matched = sa.and_(sa.true(), *(_equal(numbered, name) for name in rest))
    return sa.select(numbered, matched.label("matched")).subquery("walked")


def chosen(query: sa.Select[Any], walked: sa.Subquery) -> sa.Select[Any]:
    """Of a walk, what a step answers."""
    # In the walk's own order, which needs no sort: the walk ends when the page is full.
    return (
        query.where(sa.or_(walked.c.matched, walked.c.place == _MOST))
        .order_by(walked.c.created_at.desc(), walked.c.id.desc())
        .limit(sa.bindparam("page", type_=sa.Integer))
    )


def _equal(rows: sa.FromClause, name: str) -> sa.ColumnElement[bool]:
    return rows.c[name] == sa.bindparam(name, type_=rows.c[name].type)


def _times(table: sa.Table, given: frozenset[str]) -> Iterator[sa.ColumnElement[bool]]:
    if "since" in given:
        yield table.c.created_at >= sa.bindparam("since", type_=_TIME)
    if "until" in given:
        yield table.c.created_at < sa.bindparam("until", type_=_TIME)


def _behind(table: sa.Table) -> Iterator[sa.ColumnElement[bool]]:
    at, id_ = sa.bindparam("before_at", type_=_TIME), sa.bindparam("before_id", type_=sa.Uuid)
    # The pair alone would do, but partitions are not pruned by pairs.
    yield table.c.created_at <= at
    yield sa.tuple_(table.c.created_at, table.c.id) < sa.tuple_(at, id_)

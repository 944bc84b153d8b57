"""The statements of lists of documents, compiled once for each combination.

Every one of them looks at no more than a given number of rows: `most`. A list is read from
*slices*: a run of one index, that of its sort or, newest first, of its mime type or its dates. What
no index knows is checked on the slice's rows, and an *edge* says how far the slice went.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from global_db.columns import living
from global_db.statement import ReadStatement
from shards.document_query import Deleted, Match, Shape
from shards.residency import entered, entered_read
from shards.tables import documents

_MOST_STATEMENTS = 256

MAX_PAGE = 200
"""Rows in the largest page."""

SIMILARITY = 0.4
"""The least word_similarity of a match; the search function says the same."""

_Columns = sa.FromClause
_MOST = sa.bindparam("most", type_=sa.Integer)
_Most = sa.ColumnElement[int]
_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_Q = sa.bindparam("q", type_=sa.Text)
_PATTERNS = sa.bindparam("patterns", type_=sa.ARRAY(sa.Text))
_METADATA = sa.bindparam("metadata", type_=documents.c.metadata.type)
_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "created_at": sa.DateTime(timezone=True),
    "updated_at": sa.DateTime(timezone=True),
    "original_name": sa.Text(),
    "relevance": sa.Integer(),
}


@lru_cache(maxsize=_MOST_STATEMENTS)
def straight(shape: Shape) -> ReadStatement:
    """A page of a list that is not loose: a run of its index."""
    conditions = _indexed(shape.given)
    if shape.further:
        conditions.append(_behind(documents, shape))
    rows = _slice(shape, conditions, shape, _number(MAX_PAGE + 1))
    query = sa.select(rows).order_by(*_order(rows, shape)).limit(_LIMIT)
    key = sa.literal_column(shape.column, type_=_TYPES[shape.column])
    named = sa.collate(key, "C") if shape.column == "original_name" else key
    outer: list[sa.ColumnElement[Any]] = [named, sa.literal_column("id")]
    return entered_read(query, [one.desc() if shape.descending else one.asc() for one in outer])


@lru_cache(maxsize=_MOST_STATEMENTS)
def walk(shape: Shape, most: int) -> ReadStatement:
    """A page along the index of its sort: rows that match, and the last of `most` whether or not.

    `place` counts the rows walked over.
    """
    by_time = shape.column == "created_at"
    indexed = _indexed(shape.given) if by_time else []
    if shape.further:
        indexed.append(_behind(documents, shape))
    rows = _numbered(_slice(shape, indexed, shape, _number(most)))
    matched = sa.and_(*_checks(rows, shape))
    query = (
        sa.select(*_document(rows), rows.c.place, matched.label("matched"))
        .where(sa.or_(matched, rows.c.place == _number(most)))
        .order_by(*_order(rows, shape))
        .limit(_LIMIT)
    )
    return entered_read(query, order_by=[sa.literal_column("place")], prepared=False)


@lru_cache(maxsize=_MOST_STATEMENTS)
def ranked(shape: Shape, most: int, passing: int) -> ReadStatement:
    """The best rows of a slice: the newest `most` that filters by index leave, or fewer when
    `passing` of them match.

    The slice's `first` and `last` row come along, matched or not; without a last one it held all.
    `strict` and `alike` count those whose names hold all words, and those that resemble the text.
    """
    indexed = _indexed(shape.given)
    newest = Shape("-created_at", shape.deleted, shape.given, shape.match, shape.started)
    if shape.started:
        indexed.append(_behind(documents, newest, "start"))
    rows = _numbered(_slice(newest, indexed, newest, _number(most)))
    matched = sa.and_(*_checks(rows, shape))
    first, end = rows.c.place == _number(1), rows.c.place == _number(most)
    # Ranking costs more than matching: only what passed this level is ranked, on the next.
    passed = (
        sa.select(rows, matched.label("matched"), first.label("first"), end.label("end"))
        .where(sa.or_(matched, first, end))
        .limit(_number(passing))
        .subquery("passed")
    )
    last = passed.c.end | (sa.func.row_number().over() == _number(passing))
    counted = sa.select(
        passed,
        last.label("last"),
        *_counts(passed, shape),
        _relevance(passed, shape).label("relevance"),
    ).subquery("counted")
    edge = counted.c.first | counted.c.last
    wanted: sa.ColumnElement[bool] = counted.c.matched
    if shape.further:
        wanted = wanted & _behind(counted, shape)
    extra = (counted.c[name] for name in ("first", "last", "strict", "alike", "relevance"))
    query = (
        sa.select(*_document(counted), *extra, wanted.label("matched"))
        .where(sa.or_(edge, wanted))
        .order_by(edge.desc(), *_order(counted, shape))
        .limit(_LIMIT + _number(2))
    )
    return entered_read(query, prepared=False)


@lru_cache(maxsize=_MOST_STATEMENTS)
def indexed(shape: Shape) -> ReadStatement:
    """The best rows among those that the GIN indexes know; one row without id when they are none.

    `overflow`: there are more than `most` of them, and none is given.
    """
    words = shape.sought and shape.match in {"words", "any"}
    alike = shape.sought and shape.match in {"similar", "any"}
    found = sa.func.docshard.match_documents(
        entered,
        _PATTERNS if words else sa.null(),
        _Q if alike else sa.null(),
        _METADATA if "metadata" in shape.given else sa.null(),
        _MOST,
        type_=sa.ARRAY(sa.Uuid),
    ).column_valued("found")
    # What the function has looked for is not checked again, names least of all: that is dear.
    checks = [*_deleted(shape.deleted), *_indexed(shape.given)]
    if shape.match == "similar":
        checks.append(~_strict(documents))
    elif shape.match is not None and not shape.sought:
        checks.append(_matches(documents, shape.match))
    if shape.further:
        checks.append(_behind(documents, shape))
    own = documents.c.client_id == entered
    matches = sa.and_(own, documents.c.id == sa.func.any(found, type_=sa.Uuid), *checks)
    query = (
        sa.select(
            *_document(documents),
            _relevance(documents, shape).label("relevance"),
            found.is_(None).label("overflow"),
        )
        .select_from(found.scalar_alias.outerjoin(documents, matches))
        .order_by(*_order(documents, shape))
        .limit(_LIMIT)
    )
    return entered_read(query, prepared=False)


def _slice(
    shape: Shape, conditions: Sequence[sa.ColumnElement[bool]], order: Shape, most: _Most
) -> sa.Subquery:
    """The first `most` rows of an index; of two that are merged when deleted ones count too."""
    arms = [
        sa.select(documents)
        .where(documents.c.client_id == entered, alive, *conditions)
        .order_by(*_order(documents, order))
        .limit(most)
        .correlate(entered.scalar_alias)
        for alive in (_deleted(shape.deleted) or [living(documents), ~living(documents)])
    ]
    if len(arms) == 1:
        return arms[0].subquery("slice")
    both = sa.union_all(*(sa.select(arm.subquery(f"arm_{n}")) for n, arm in enumerate(arms)))
    merged = both.subquery("merged")
    return sa.select(merged).order_by(*_order(merged, order)).limit(most).subquery("slice")


def _number(number: int) -> _Most:
    """A bound as part of the text: the planner knows it, and chooses the index for its order."""
    return sa.literal_column(str(number), type_=sa.Integer)


def _numbered(rows: sa.Subquery) -> sa.Subquery:
    return sa.select(rows, sa.func.row_number().over().label("place")).subquery("numbered")


def _document(rows: _Columns) -> list[sa.ColumnElement[Any]]:
    return [rows.c[column.name] for column in documents.columns]


def _deleted(deleted: Deleted) -> list[sa.ColumnElement[bool]]:
    alive = living(documents)
    return {"exclude": [alive], "only": [~alive], "include": []}[deleted]


def _indexed(given: frozenset[str]) -> list[sa.ColumnElement[bool]]:
    """Conditions that the indexes by mime type and by time of creation know."""
    return [_condition(documents, name) for name in sorted(given - {"metadata"})]


def _checks(rows: _Columns, shape: Shape) -> list[sa.ColumnElement[bool]]:
    """Every condition but the deletion: on a slice's rows some hold already, and cost nothing."""
    checks = [_condition(rows, name) for name in sorted(shape.given)]
    if shape.match is not None:
        checks.append(_matches(rows, shape.match))
    return checks or [sa.true()]


def _condition(rows: _Columns, name: str) -> sa.ColumnElement[bool]:
    if name == "metadata":
        return rows.c.metadata.contains(_METADATA)
    if name == "mime_type":
        return rows.c.mime_type == sa.bindparam(name, type_=sa.Text)
    moment = sa.bindparam(name, type_=_TYPES["created_at"])
    return rows.c.created_at >= moment if name == "created_after" else rows.c.created_at < moment


def _matches(rows: _Columns, match: Match) -> sa.ColumnElement[bool]:
    strict, alike = _strict(rows), _alike(rows)
    if match == "text":
        return sa.func.strpos(rows.c.original_name, _Q) > 0
    return {"words": strict, "similar": ~strict & alike, "any": strict | alike}[match]


def _strict(rows: _Columns) -> sa.ColumnElement[bool]:
    return rows.c.original_name.bool_op("ILIKE")(sa.func.all(_PATTERNS))


def _alike(rows: _Columns) -> sa.ColumnElement[bool]:
    """In this order: beginnings are dear, and few names come that far."""
    near = _likeness(rows) >= sa.literal_column(str(SIMILARITY))
    return near & _beginnings(rows.c.original_name).bool_op("&&")(_beginnings(_Q))


def _beginnings(text: sa.ColumnElement[str]) -> sa.ColumnElement[Any]:
    return sa.func.docshard.beginnings(text)


def _likeness(rows: _Columns) -> sa.ColumnElement[float]:
    return sa.func.public.word_similarity(_Q, rows.c.original_name, type_=sa.Float)


def _counts(rows: _Columns, shape: Shape) -> list[sa.ColumnElement[Any]]:
    if shape.match != "any":
        return [sa.null().label("strict"), sa.null().label("alike")]
    strict = _strict(rows) & rows.c.matched
    return [
        sa.func.count().filter(strict).over().label("strict"),
        sa.func.count().filter(rows.c.matched & ~strict).over().label("alike"),
    ]


def _relevance(rows: _Columns, shape: Shape) -> sa.ColumnElement[Any]:
    """Whole numbers, so that a key compares exactly: names that hold all words before those that
    do not, then by the most similar part, then by the similarity of the whole.
    """
    if shape.sort != "relevance":
        return sa.null()
    part = sa.func.round(_likeness(rows) * 1000)
    whole = sa.func.round(sa.func.public.similarity(_Q, rows.c.original_name) * 999)
    strict = sa.case((_strict(rows), 2_000_000), else_=0)
    return sa.cast(strict + part * 1000 + whole, sa.Integer)


def _key(rows: _Columns, shape: Shape) -> sa.ColumnElement[Any]:
    if shape.column == "original_name":
        return sa.collate(rows.c.original_name, "C")
    if shape.column == "relevance":
        return rows.c.relevance if "relevance" in rows.c else _relevance(rows, shape)
    return rows.c[shape.column]


def _order(rows: _Columns, shape: Shape) -> list[sa.ColumnElement[Any]]:
    key = _key(rows, shape)
    return [key.desc(), rows.c.id.desc()] if shape.descending else [key.asc(), rows.c.id.asc()]


def _behind(rows: _Columns, shape: Shape, name: str = "key") -> sa.ColumnElement[bool]:
    here = sa.tuple_(_key(rows, shape), rows.c.id)
    there = sa.tuple_(
        sa.bindparam(f"{name}_value", type_=_TYPES[shape.column]),
        sa.bindparam(f"{name}_id", type_=sa.Uuid),
    )
    return here < there if shape.descending else here > there

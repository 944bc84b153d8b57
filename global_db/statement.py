"""SQLAlchemy Core expressions, compiled once and run by psycopg.

A `Statement` is the text psycopg gets, with `%(name)s` placeholders. Compiling at import keeps
SQLAlchemy out of the hot path: building and rendering an expression costs more than the query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ClauseElement, make_url
from sqlalchemy.sql.compiler import SQLCompiler

_DIALECT = make_url("postgresql+psycopg://").get_dialect()()


@dataclass(frozen=True, slots=True)
class ReadStatement:
    """SQL that changes nothing. `fixed` are values bound when it was built."""

    text: str
    fixed: dict[str, Any]
    prepared: bool = True
    """Whether one plan does for all values; else each run is planned for its own."""


@dataclass(frozen=True, slots=True)
class WriteStatement:
    """SQL that changes rows or takes locks: only a `WriteConnection` runs it."""

    text: str
    fixed: dict[str, Any]


def _compile(expression: ClauseElement) -> tuple[str, dict[str, Any]]:
    compiled = expression.compile(dialect=_DIALECT)
    if not isinstance(compiled, SQLCompiler):
        raise TypeError("only queries and changes of rows are statements")
    fixed = {
        name: parameter.effective_value
        for parameter, name in compiled.bind_names.items()
        if not parameter.required
    }
    return str(compiled), fixed


def read(expression: ClauseElement, *, prepared: bool = True) -> ReadStatement:
    """Compile a SELECT that neither writes nor locks.

    `prepared=False` when its best plan depends on the values: small tenant or large, rare or
    common.
    """
    return ReadStatement(*_compile(expression), prepared)


def write(expression: ClauseElement) -> WriteStatement:
    """Compile an INSERT, UPDATE, DELETE or a locking SELECT."""
    return WriteStatement(*_compile(expression))

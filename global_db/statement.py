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
    """SQL that changes nothing. `fixed` are values bound when it was built.

    `prepare` False: it is planned each time, for the values it is run with. `in_life` is the same,
    refused by a server that lives another life than the one in the parameter `life`.
    """

    text: str
    fixed: dict[str, Any]
    prepare: bool | None = None
    in_life: str | None = None


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


def read(expression: ClauseElement) -> ReadStatement:
    """Compile a SELECT that neither writes nor locks."""
    return ReadStatement(*_compile(expression))


def read_by_value(expression: ClauseElement) -> ReadStatement:
    """Compile a SELECT whose right plan depends on its values: rare ones want an index, common ones
    the list's order. It is never prepared, since a plan for any values would suit but one kind."""
    return ReadStatement(*_compile(expression), prepare=False)


def write(expression: ClauseElement) -> WriteStatement:
    """Compile an INSERT, UPDATE, DELETE or a locking SELECT."""
    return WriteStatement(*_compile(expression))

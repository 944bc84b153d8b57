"""A connection that asks for the plan of each statement before it runs it."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import AsyncCursor
from psycopg.abc import Params, Query
from psycopg.rows import dict_row

from global_db.connection import Row

Node = dict[str, Any]
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class Explaining(psycopg.AsyncConnection[Row]):
    """Keeps the plans of SELECT, INSERT, UPDATE and DELETE, made with the parameters given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plans: list[Node] = []

    async def execute(
        self,
        query: Query,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool = False,
    ) -> AsyncCursor[Row]:
        """Explain, then execute."""
        text = str(query)
        if text.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
            ask = Explaining._question if prepare is False else type(self)._question
            cursor = await super().execute(*ask(self, text, params), prepare=False)
            row = await cursor.fetchone()
            if row is not None:
                self.plans.append(row["QUERY PLAN"][0]["Plan"])
        return await super().execute(text.encode(), params, prepare=prepare, binary=binary)

    def _question(self, text: str, params: Params | None) -> tuple[bytes, Params | None]:
        return f"EXPLAIN (FORMAT JSON) {text}".encode(), params

    def scans(self) -> Iterator[Node]:
        """Every scan of a table in every plan so far."""
        for plan in self.plans:
            yield from (node for node in nodes(plan) if "Relation Name" in node and _scans(node))


class ExplainingForAny(Explaining):
    """As `Explaining`, with the plans that a statement which may be prepared has for any values.

    Needs PostgreSQL 16.
    """

    def _question(self, text: str, params: Params | None) -> tuple[bytes, Params | None]:
        names: dict[str, int] = {}
        numbered = _PLACEHOLDER.sub(
            lambda found: f"${names.setdefault(found[1], len(names) + 1)}", text
        )
        return f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered}".encode(), None


async def explaining(conninfo: str) -> Explaining:
    """Connect; each statement its own transaction, rows as dicts."""
    return await Explaining.connect(conninfo, autocommit=True, row_factory=dict_row)


def nodes(plan: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def _scans(node: Node) -> bool:
    return str(node["Node Type"]).endswith("Scan")

"""A connection that asks for the plan of each statement before it runs it."""

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import AsyncCursor
from psycopg.abc import Params, Query
from psycopg.rows import dict_row

from global_db.connection import Row

Node = dict[str, Any]


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
            explain = f"EXPLAIN (FORMAT JSON) {text}".encode()
            cursor = await super().execute(explain, params, prepare=False)
            row = await cursor.fetchone()
            if row is not None:
                self.plans.append(row["QUERY PLAN"][0]["Plan"])
        return await super().execute(text.encode(), params, prepare=prepare, binary=binary)

    def scans(self) -> Iterator[Node]:
        """Every scan of a table in every plan so far."""
        for plan in self.plans:
            yield from (node for node in nodes(plan) if "Relation Name" in node and _scans(node))


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

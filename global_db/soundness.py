"""Whether a restored server is sound: asked of it as its superuser, by a socket of its own.

What holds on any cluster; tenants' rows are the shards'.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from global_db.connection import RawConnection, Row

_CANARIES: LiteralString = """
    SELECT max(written_at) AS newest, count(*) AS canaries
      FROM docshard.canaries WHERE written_at >= %s
"""
_LINKS: LiteralString = """
    SELECT count(*) AS links,
           count(*) FILTER (WHERE coalesce(prior, 0) + 1 <> seq OR chain_hash IS DISTINCT FROM
               docshard.chain_hash(coalesce(previous, docshard.chain_origin()), seq, content_hash))
               AS broken
      FROM (SELECT c.*, lag(chain_hash) OVER (ORDER BY seq) AS previous,
                   lag(seq) OVER (ORDER BY seq) AS prior
              FROM docshard.audit_chain c) AS linked
"""
_ROWS: LiteralString = """
    SELECT count(*) AS rows,
           count(*) FILTER (WHERE a.content_hash IS DISTINCT FROM docshard.audit_content_hash(a)
               OR a.content_hash IS DISTINCT FROM coalesce(c.content_hash, p.content_hash))
               AS broken
      FROM docshard.audit_logs a
      LEFT JOIN docshard.audit_chain c ON c.audit_id = a.id
      LEFT JOIN docshard.audit_pending p ON p.audit_id = a.id
"""


@dataclass(frozen=True, slots=True)
class Log:
    """The audit log: links and rows that were looked at, and those that are not as they should."""

    links: int
    rows: int
    broken: int


@dataclass(frozen=True, slots=True)
class Sung:
    """Canaries since some moment: the newest, and how many."""

    newest: datetime | None
    canaries: int


@asynccontextmanager
async def asking(folder: str, port: int, database: str) -> AsyncIterator[RawConnection]:
    """A connection by the socket in this folder.

    Raises:
        psycopg.OperationalError.
    """
    conninfo = make_conninfo(host=folder, port=port, dbname=database, user="postgres")
    async with await psycopg.AsyncConnection[Row].connect(
        conninfo, autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


async def one(connection: RawConnection, query: LiteralString, *values: object) -> Row:
    """The one row of an answer."""
    row = await (await connection.execute(query, values)).fetchone()
    if row is None:
        raise LookupError("an aggregate without a row")
    return row


async def sung(connection: RawConnection, since: datetime) -> Sung:
    """What canaries the server has."""
    return Sung(**await one(connection, _CANARIES, since))


async def global_log(connection: RawConnection) -> Log:
    """The global audit log, all of it."""
    links, rows = await one(connection, _LINKS), await one(connection, _ROWS)
    return Log(links["links"], rows["rows"], links["broken"] + rows["broken"])

"""Whether a restored shard is sound: its tenants' audit logs, and contents to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from global_db.connection import RawConnection
from global_db.soundness import Log, one

# Tenants whose rows are on their way are whole elsewhere.
_LINKS: LiteralString = """
    SELECT count(*) AS links,
           count(*) FILTER (WHERE coalesce(prior, 0) + 1 <> seq OR chain_hash IS DISTINCT FROM
               docshard.chain_hash(
                   coalesce(previous, docshard.chain_origin(client_id)), seq, content_hash))
               AS broken
      FROM (SELECT c.*, lag(chain_hash) OVER numbers AS previous, lag(seq) OVER numbers AS prior
              FROM docshard.audit_chain c
              JOIN docshard.residency r ON r.client_id = c.client_id AND r.state = 'open'
            WINDOW numbers AS (PARTITION BY c.client_id ORDER BY seq)) AS linked
"""
_ROWS: LiteralString = """
    SELECT count(*) AS rows,
           count(*) FILTER (WHERE a.content_hash IS DISTINCT FROM docshard.audit_content_hash(a)
               OR a.content_hash IS DISTINCT FROM coalesce(c.content_hash, p.content_hash))
               AS broken
      FROM docshard.audit_logs a
      JOIN docshard.residency r ON r.client_id = a.client_id AND r.state = 'open'
      LEFT JOIN docshard.audit_chain c ON c.client_id = a.client_id AND c.audit_id = a.id
      LEFT JOIN docshard.audit_pending p ON p.client_id = a.client_id
           AND p.audit_created_at = a.created_at AND p.audit_id = a.id
"""
_HASHES: LiteralString = """
    SELECT c.seq, c.chain_hash FROM docshard.audit_chain c
     WHERE c.client_id = %s AND c.seq = ANY(%s)
"""
_TENANTS: LiteralString = """
    SELECT client_id FROM docshard.residency WHERE state = 'open' ORDER BY random() LIMIT %s
"""
# A share of the table's pages that has some hundred rows; all of a small one.
_CONTENTS: LiteralString = """
    WITH pages AS (SELECT greatest(reltuples, 1) AS rows
                     FROM pg_class WHERE oid = 'docshard.document_versions'::regclass)
    SELECT v.s3_key, v.size, encode(v.checksum_sha256, 'hex') AS sha256,
           extract(epoch FROM now() - v.created_at)::float8 AS age_seconds
      FROM docshard.document_versions v TABLESAMPLE SYSTEM (
           (SELECT least(100, 100 * 500 / rows) FROM pages))
      JOIN docshard.residency r ON r.client_id = v.client_id AND r.state = 'open'
     ORDER BY random() LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Content:
    """A blob that a version names; `sha256` hexadecimal."""

    s3_key: str
    size: int
    sha256: str
    age_seconds: float


async def tenants_log(connection: RawConnection) -> Log:
    """The audit logs of all tenants who live there."""
    links, rows = await one(connection, _LINKS), await one(connection, _ROWS)
    return Log(links["links"], rows["rows"], links["broken"] + rows["broken"])


async def some_tenants(connection: RawConnection, most: int) -> list[UUID]:
    """Tenants who live there, by chance."""
    cursor = await connection.execute(_TENANTS, [most])
    return [row["client_id"] for row in await cursor.fetchall()]


async def hashes(connection: RawConnection, client_id: UUID, seqs: list[int]) -> dict[int, bytes]:
    """The chain's hashes at these numbers, those that are there."""
    cursor = await connection.execute(_HASHES, [client_id, seqs])
    return {row["seq"]: row["chain_hash"] for row in await cursor.fetchall()}


async def some_contents(connection: RawConnection, most: int) -> list[Content]:
    """Contents of tenants who live there, by chance."""
    cursor = await connection.execute(_CONTENTS, [most])
    return [Content(**row) for row in await cursor.fetchall()]

"""What a tenant's rows say of its documents, for whoever proves that nothing is lost (I5, I7).

Documents are taken by ranges of their ids: a range is bounded in documents and in audit rows, and
whatever there is about a document lies in one range. Each range is one statement that enters the
tenant itself: so its documents, versions and audit rows are seen in one snapshot, of a shard where
the tenant is open, and no snapshot is held from one range to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from shards.residency import entered_text
from shards.tenants import TenantRead

FIRST: Final = UUID(int=0)
LAST: Final = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Range:
    """Documents by id, from behind `after` up to and with `upto`."""

    after: UUID
    upto: UUID


@dataclass(frozen=True, slots=True)
class Portion:
    """How many documents, versions and audit rows make a range; of one document it takes all."""

    documents: int = 500
    rows: int = 5_000


USUAL: Final = Portion()


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What the rows say of one id: of a document, or of one that is gone or never was.

    Lists of versions have ten at most.
    """

    document_id: UUID
    exists: bool
    whole: bool
    """Its audit rows are all here: none is of a month that may lie in the archive."""
    row_version: int
    current_version: int
    versions: int
    lowest: int
    highest: int
    newest_agrees: bool
    """The version of the current number has the key, type, size and digest of the document."""
    created: int
    """Audit rows that tell of its creation."""
    created_then: bool
    """One of them by the one who made it, in the transaction that made the row."""
    changed: int
    """Audit rows that tell of changes, with the creation and without the purge."""
    changed_then: bool
    """One of them in the transaction of the last change."""
    purged: int
    """Purges that are told of, less those that a backup has undone."""
    unaudited: tuple[int, ...]
    """Versions without an audit row."""
    doubled: tuple[int, ...]
    """Versions with several."""
    altered: tuple[int, ...]
    """Versions that are not what their audit row tells."""
    lost: tuple[int, ...]
    """Versions that an audit row tells of, and that are not there."""
    unbalanced: tuple[str, ...]
    """Members of its image whose told changes do not lead to what it is."""
    overtold: tuple[str, ...]
    """Those of them of which a value was told that nothing replaced and that it has not."""


_UPTO = entered_text("""
    SELECT least(
        (SELECT d.id FROM docshard.documents AS d
          WHERE d.client_id = entered AND d.id > %(after)s
          ORDER BY d.id OFFSET %(documents)s - 1 LIMIT 1),
        (SELECT v.document_id FROM docshard.document_versions AS v
          WHERE v.client_id = entered AND v.document_id > %(after)s
          ORDER BY v.document_id, v.version_number OFFSET %(rows)s - 1 LIMIT 1),
        (SELECT a.entity_id FROM docshard.audit_logs AS a
          WHERE a.client_id = entered AND a.entity_id > %(after)s
          ORDER BY a.entity_id, a.created_at, a.id OFFSET %(rows)s - 1 LIMIT 1)) AS upto
""")

# `entry` keeps books: what was told to be (+), what was told to have been (-), and what is (-). In
# whatever order changes were made, and however many, each takes away what another one has brought;
# so a whole history leaves nothing. A timestamp is told in the zone in which it was asked for.
# A document that came back out of a backup is told of by a restore with a version's number: what
# was told of versions above it before is no more.
_FACTS = entered_text("""
    WITH document AS (
        SELECT d.* FROM docshard.documents AS d
         WHERE d.client_id = entered AND d.id > %(after)s AND d.id <= %(upto)s),
    log AS MATERIALIZED (
        SELECT a.entity_id AS id, a.action, a.created_at, a.user_id,
               CASE jsonb_typeof(a.changes -> 'before') WHEN 'object' THEN a.changes -> 'before' END
                   AS before,
               CASE jsonb_typeof(a.changes -> 'after') WHEN 'object' THEN a.changes -> 'after' END
                   AS after
          FROM docshard.audit_logs AS a
         WHERE a.client_id = entered AND a.entity_id > %(after)s AND a.entity_id <= %(upto)s
           AND a.entity_type = 'document' AND a.action <> 'content.read'),
    logged AS (
        SELECT l.id,
               count(*) FILTER (WHERE l.action = 'document.create') AS created,
               count(*) FILTER (WHERE l.action <> 'document.purge') AS changed,
               count(*) FILTER (WHERE l.action = 'document.purge')
               - count(*) FILTER (WHERE l.action = 'document.restore' AND l.before IS NULL)
                   AS purged,
               bool_or(l.action = 'document.create' AND l.created_at = d.created_at
                       AND l.user_id = d.created_by) AS created_then,
               bool_or(l.created_at = d.updated_at) AS changed_then
          FROM log AS l LEFT JOIN document AS d ON d.id = l.id
         GROUP BY l.id),
    version AS (
        SELECT v.*, lag(v.version_number) OVER numbers AS earlier,
               lag(v.checksum_sha256) OVER numbers AS earlier_checksum,
               lag(v.size) OVER numbers AS earlier_size,
               lag(v.mime_type) OVER numbers AS earlier_type
          FROM docshard.document_versions AS v
         WHERE v.client_id = entered AND v.document_id > %(after)s AND v.document_id <= %(upto)s
        WINDOW numbers AS (PARTITION BY v.document_id ORDER BY v.version_number)),
    versioned AS (
        SELECT v.document_id AS id, count(*) AS versions,
               min(v.version_number) AS lowest, max(v.version_number) AS highest,
               bool_or(v.version_number = d.current_version
                       AND (v.s3_key, v.mime_type, v.size, v.checksum_sha256)
                         = (d.s3_key, d.mime_type, d.size, d.checksum_sha256)) AS newest_agrees
          FROM version AS v LEFT JOIN document AS d ON d.id = v.document_id
         GROUP BY v.document_id),
    returned AS (
        SELECT l.id, l.created_at, (l.after ->> 'current_version')::integer AS number
          FROM log AS l
         WHERE l.action = 'document.restore' AND l.after ? 'current_version'),
    telling AS (
        SELECT l.id, (l.after ->> 'current_version')::integer AS number, l.created_at, l.user_id,
               l.after, count(*) OVER (PARTITION BY l.id, l.after ->> 'current_version') AS times
          FROM log AS l
         WHERE l.action = 'version.create'
           AND NOT EXISTS (SELECT FROM returned AS r
                            WHERE r.id = l.id AND r.created_at > l.created_at
                              AND r.number < (l.after ->> 'current_version')::integer)),
    compared AS (
        SELECT coalesce(v.document_id, t.id) AS id, coalesce(v.version_number, t.number) AS number,
               t.id IS NULL AND v.created_at >= %(kept_since)s AS unaudited,
               t.times > 1 AS doubled,
               v.id IS NULL AS lost,
               v.created_at <> t.created_at OR v.created_by IS DISTINCT FROM t.user_id
               OR CASE WHEN t.after ? 'checksum_sha256'
                       THEN t.after ->> 'checksum_sha256'
                            IS DISTINCT FROM encode(v.checksum_sha256, 'hex')
                       ELSE v.earlier = v.version_number - 1
                            AND v.checksum_sha256 <> v.earlier_checksum END
               OR CASE WHEN t.after ? 'size'
                       THEN (t.after ->> 'size')::bigint IS DISTINCT FROM v.size
                       ELSE v.earlier = v.version_number - 1 AND v.size <> v.earlier_size END
               OR CASE WHEN t.after ? 'mime_type'
                       THEN t.after ->> 'mime_type' IS DISTINCT FROM v.mime_type
                       ELSE v.earlier = v.version_number - 1 AND v.mime_type <> v.earlier_type END
                   AS altered
          FROM version AS v FULL JOIN telling AS t
            ON t.id = v.document_id AND t.number = v.version_number),
    numbered AS (
        SELECT c.id,
               (array_agg(DISTINCT c.number) FILTER (WHERE c.unaudited))[1:10] AS unaudited,
               (array_agg(DISTINCT c.number) FILTER (WHERE c.doubled))[1:10] AS doubled,
               (array_agg(DISTINCT c.number) FILTER (WHERE c.altered AND NOT c.lost))[1:10]
                   AS altered,
               (array_agg(DISTINCT c.number) FILTER (WHERE c.lost))[1:10] AS lost
          FROM compared AS c GROUP BY c.id),
    entry AS (
        SELECT l.id, e.key, e.value, 1 AS amount FROM log AS l, jsonb_each(l.after) AS e
        UNION ALL
        SELECT l.id, e.key, e.value, -1 FROM log AS l, jsonb_each(l.before) AS e
        UNION ALL
        SELECT d.id, e.key, e.value, -1
          FROM document AS d, jsonb_each(jsonb_build_object(
               'original_name', d.original_name, 'mime_type', d.mime_type,
               'current_version', d.current_version, 'size', d.size,
               'checksum_sha256', encode(d.checksum_sha256, 'hex'), 'metadata', d.metadata,
               'legal_hold', d.legal_hold, 'retain_until', d.retain_until,
               'deleted_at', d.deleted_at)) AS e),
    balance AS (
        SELECT e.id, e.key, sum(e.amount) AS amount
          FROM (SELECT id, key, amount,
                       CASE WHEN key IN ('deleted_at', 'retain_until')
                            THEN to_jsonb((value #>> '{}')::timestamptz) ELSE value END AS value
                  FROM entry) AS e
         GROUP BY e.id, e.key, e.value HAVING sum(e.amount) <> 0),
    booked AS (
        SELECT b.id, array_agg(DISTINCT b.key) AS unbalanced,
               array_agg(DISTINCT b.key) FILTER (WHERE b.amount > 0) AS overtold
          FROM balance AS b GROUP BY b.id)
    SELECT id AS document_id, d.client_id IS NOT NULL AS exists,
           CASE WHEN d.client_id IS NOT NULL THEN d.created_at >= %(kept_since)s
                ELSE coalesce(l.created > 0, false) END AS whole,
           coalesce(d.row_version, 0) AS row_version,
           coalesce(d.current_version, 0) AS current_version,
           coalesce(v.versions, 0) AS versions, coalesce(v.lowest, 0) AS lowest,
           coalesce(v.highest, 0) AS highest, coalesce(v.newest_agrees, false) AS newest_agrees,
           coalesce(l.created, 0) AS created, coalesce(l.created_then, false) AS created_then,
           coalesce(l.changed, 0) AS changed, coalesce(l.changed_then, false) AS changed_then,
           coalesce(l.purged, 0) AS purged,
           coalesce(n.unaudited, '{}') AS unaudited, coalesce(n.doubled, '{}') AS doubled,
           coalesce(n.altered, '{}') AS altered, coalesce(n.lost, '{}') AS lost,
           coalesce(b.unbalanced, '{}') AS unbalanced, coalesce(b.overtold, '{}') AS overtold
      FROM document AS d FULL JOIN logged AS l USING (id) FULL JOIN versioned AS v USING (id)
      FULL JOIN numbered AS n USING (id) FULL JOIN booked AS b USING (id)
     WHERE d.client_id IS NOT NULL OR l.id IS NOT NULL OR v.id IS NOT NULL
""")


async def upto(tenant: TenantRead, after: UUID, portion: Portion) -> UUID:
    """Where a range from behind `after` ends; `LAST` when it takes all that is left."""
    row = await tenant.one(_UPTO, after=after, documents=portion.documents, rows=portion.rows)
    return LAST if row is None or row["upto"] is None else row["upto"]


async def facts(tenant: TenantRead, range_: Range, kept_since: datetime) -> list[DocumentFacts]:
    """The facts of every document of the range, and of every one that only other rows speak of.

    Audit rows of before `kept_since` may lie in the archive.
    """
    found = await tenant.all(_FACTS, after=range_.after, upto=range_.upto, kept_since=kept_since)
    return [DocumentFacts(**row) for row in found]

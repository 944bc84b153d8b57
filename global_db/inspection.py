"""What a server says of itself: for operators who ask whether all is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

# One statement, so that all figures are of one moment. On a replica only the first ones mean
# anything; `lag_seconds` of a standby is NULL when it has replayed everything.
_FACTS = """
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int / 10000 AS major,
       current_setting('wal_level') AS wal_level,
       pg_is_in_recovery() AS in_recovery,
       (SELECT coalesce(array_agg(extname::text ORDER BY extname), '{}') FROM pg_extension)
           AS extensions,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'name', application_name,
            'state', state,
            'lag_bytes', CASE WHEN pg_is_in_recovery() THEN NULL
                         ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) END,
            'lag_seconds', extract(epoch FROM replay_lag)) ORDER BY application_name), '[]')
          FROM pg_stat_replication) AS standbys,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'name', slot_name, 'active', active, 'wal_status', wal_status)
            ORDER BY slot_name), '[]')
          FROM pg_replication_slots) AS slots,
       (SELECT coalesce(array_agg(inhrelid::regclass::text), '{}')
          FROM pg_inherits WHERE inhparent = to_regclass('docshard.audit_logs')) AS partitions
"""
_STRAY_ROWS = "SELECT EXISTS (SELECT FROM docshard.audit_logs_default) AS stray"


@dataclass(frozen=True, slots=True)
class Standby:
    """A replica as its primary sees it."""

    name: str
    state: str | None
    lag_bytes: float | None
    lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot; `wal_status` tells whether its WAL is still there."""

    name: str
    active: bool
    wal_status: str | None


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """One server. `stray_audit_rows`: the DEFAULT partition holds rows that no month took."""

    version: str
    major: int
    wal_level: str
    in_recovery: bool
    extensions: tuple[str, ...]
    standbys: tuple[Standby, ...]
    slots: tuple[Slot, ...]
    partitions: tuple[str, ...]
    stray_audit_rows: bool


async def inspect(conninfo: str) -> ServerFacts:
    """Ask one server, over a connection of its own.

    Raises:
        psycopg.Error: it does not answer, or refuses.
    """
    async with await psycopg.AsyncConnection.connect(
        conninfo, autocommit=True, row_factory=dict_row
    ) as connection:
        row = await (await connection.execute(_FACTS)).fetchone() or {}
        stray = (
            await (await connection.execute(_STRAY_ROWS)).fetchone() if _has_audit(row) else None
        )
    return _facts(row, stray_audit_rows=bool(stray and stray["stray"]))


def _has_audit(row: dict[str, Any]) -> bool:
    return any(name.endswith("audit_logs_default") for name in row["partitions"])


def _facts(row: dict[str, Any], *, stray_audit_rows: bool) -> ServerFacts:
    return ServerFacts(
        version=row["version"],
        major=row["major"],
        wal_level=row["wal_level"],
        in_recovery=row["in_recovery"],
        extensions=tuple(row["extensions"]),
        standbys=tuple(Standby(**standby) for standby in row["standbys"]),
        slots=tuple(Slot(**slot) for slot in row["slots"]),
        partitions=tuple(name.rpartition(".")[2] for name in row["partitions"]),
        stray_audit_rows=stray_audit_rows,
    )

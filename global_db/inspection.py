"""What a server says of itself: for operators who ask whether all is well."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
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
          FROM pg_inherits WHERE inhparent = to_regclass('docshard.audit_logs')) AS partitions,
       current_setting('archive_mode') <> 'off' AS archives,
       (SELECT extract(epoch FROM now() - last_archived_time)::float8 FROM pg_stat_archiver)
           AS archived_seconds_ago,
       (SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)
          FROM pg_stat_archiver) AS archiving_fails
"""
# What only a new cluster is asked. Which locale a database has stands in another column in almost
# every version. The mover counts as there only when it can do a mover's work.
_SETUP = """
SELECT current_setting('server_version_num')::int / 10000 AS major,
       (SELECT system_identifier FROM pg_control_system()) AS system,
       pg_encoding_to_char(d.encoding) AS encoding,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', d.datcollate)
           AS collation,
       current_setting('data_checksums')::boolean AS checksums,
       current_setting('password_encryption') AS password_encryption,
       current_setting('max_replication_slots')::int AS slots,
       current_setting('max_wal_senders')::int AS senders,
       current_setting('max_logical_replication_workers')::int AS workers,
       (SELECT coalesce(array_agg(rolname::text ORDER BY rolname), '{}') FROM pg_roles
         WHERE rolname LIKE 'docshard\\_%' AND (rolname <> 'docshard_mover'
            OR rolbypassrls AND rolreplication)) AS roles,
       to_regprocedure('docshard.place()') IS NOT NULL AS bootstrapped
  FROM pg_database AS d WHERE d.datname = current_database()
"""
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8 AS clock"
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
class ClockSeen:
    """How many seconds a server's clock is before ours, give or take `doubt`."""

    ahead: float = 0.0
    doubt: float = 0.0

    def apart(self, other: ClockSeen) -> float:
        """So many seconds at least it is apart from another server's; 0 when that is in doubt."""
        return max(0.0, abs(self.ahead - other.ahead) - self.doubt - other.doubt)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """One server. `stray_audit_rows`: the DEFAULT partition holds rows that no month took.

    `archives`: it is to archive its WAL; the last segment went `archived_seconds_ago`, None: none
    yet. `archiving_fails`: the last attempt did not succeed.
    """

    version: str
    major: int
    wal_level: str
    in_recovery: bool
    extensions: tuple[str, ...]
    standbys: tuple[Standby, ...]
    slots: tuple[Slot, ...]
    partitions: tuple[str, ...]
    stray_audit_rows: bool
    clock: ClockSeen = ClockSeen()
    archives: bool = False
    archived_seconds_ago: float | None = None
    archiving_fails: bool = False


@dataclass(frozen=True, slots=True)
class ServerSetup:
    """What a server was set up with; `slots`, `senders` and `workers` are its limits."""

    major: int
    system: int
    encoding: str
    collation: str
    checksums: bool
    password_encryption: str
    slots: int
    senders: int
    workers: int
    roles: tuple[str, ...]
    bootstrapped: bool
    clock: ClockSeen


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
        clock = await _clock(connection)
    return replace(_facts(row, stray_audit_rows=bool(stray and stray["stray"])), clock=clock)


async def inspect_setup(conninfo: str) -> ServerSetup:
    """Ask one server what it was set up with, over a connection of its own.

    Raises:
        psycopg.Error: it does not answer, or refuses.
    """
    async with await psycopg.AsyncConnection.connect(
        conninfo, autocommit=True, row_factory=dict_row
    ) as connection:
        row = await (await connection.execute(_SETUP)).fetchone() or {}
        clock = await _clock(connection)
    return ServerSetup(**row | {"roles": tuple(row["roles"])}, clock=clock)


async def _clock(connection: psycopg.AsyncConnection[dict[str, Any]]) -> ClockSeen:
    asked = time.time()
    row = await (await connection.execute(_CLOCK)).fetchone() or {}
    answered = time.time()
    return ClockSeen(row["clock"] - (asked + answered) / 2, (answered - asked) / 2)


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
        archives=row["archives"],
        archived_seconds_ago=row["archived_seconds_ago"],
        archiving_fails=row["archiving_fails"],
    )

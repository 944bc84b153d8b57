"""Alerts of router and worker: what tenants are promised (docs/slo.md), and what it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from deploy.rendering.alert import Alert

BUDGET: Final = 0.001
"""Of all requests so many may fail, in thirty days: 99.9 % are answered."""
SLOW: Final = 0.01
"""Of all requests so many may be slow."""
DRILL_DAYS: Final = 35
"""What services take for DOCSHARD_BACKUP_DRILL_DAYS when nobody says it."""
READ_SECONDS, WRITE_SECONDS = "0.25", "0.5"
READS: Final = "get_document|list_documents|list_versions|get_version|list_audit_logs"
WRITES: Final = "create_document|update_document|delete_document|create_upload"


def _failing(window: str) -> str:
    every = f"sum(rate(docshard_requests_total[{window}]))"
    return f'sum(rate(docshard_requests_total{{status="5xx"}}[{window}])) / {every}'


def _burns(times: float, short: str, long: str) -> str:
    """So many times as fast as the budget lasts for: of late, and not for a moment alone."""
    limit = f"{times * BUDGET:g}"
    return f"{_failing(short)} > {limit} and {_failing(long)} > {limit}"


def _slow(routes: str, bound: str) -> str:
    def rate(series: str, more: str = "") -> str:
        return f'sum(rate(docshard_request_seconds_{series}{{route=~"{routes}"{more}}}[10m]))'

    bucket = rate("bucket", f', le="{bound}"')
    return f"1 - {bucket} / {rate('count')} > {SLOW:g}"


SERVICE: Final = (
    Alert(
        "NoRouter",
        '(count(up{job="router"} == 1) or vector(0)) < 1',
        *("1m", "page"),
        "No router answers: nobody is served. Look at their logs first.",
    ),
    Alert(
        "ErrorBudgetBurnsFast",
        _burns(14.4, "5m", "1h"),
        *("2m", "page"),
        "So many requests fail that the month's error budget is gone within two days.",
    ),
    Alert(
        "ErrorBudgetBurns",
        _burns(6, "30m", "6h"),
        *("15m", "ticket"),
        "So many requests fail that the month's error budget is gone within five days.",
    ),
    Alert(
        "ReadsSlow",
        _slow(READS, READ_SECONDS),
        *("10m", "page"),
        f"More than one read in a hundred takes us longer than {READ_SECONDS} s.",
    ),
    Alert(
        "WritesSlow",
        _slow(WRITES, WRITE_SECONDS),
        *("10m", "page"),
        f"More than one write in a hundred takes us longer than {WRITE_SECONDS} s.",
    ),
    Alert(
        "PrimaryUnknown",
        "min by (shard) (docshard_primary_known) < 1",
        *("1m", "page"),
        "Routers know no primary of this cluster: its tenants' writes are refused.",
    ),
    Alert(
        "ReplicaLags",
        "max by (shard) (docshard_replica_lag_seconds) > 10",
        *("5m", "ticket"),
        "A replica shows what is more than ten seconds old: reads go to the primary instead.",
    ),
    Alert(
        "PoolExhausted",
        'sum by (shard) (rate(docshard_db_failures_total{kind="pool_exhausted"}[5m])) > 0',
        *("2m", "page"),
        "Requests are refused because every connection to this cluster is in use.",
    ),
    Alert(
        "DependencyAway",
        "sum by (code) (rate(docshard_problems_total{code=~"
        '"directory_unavailable|storage_unavailable|keys_unavailable|database_full"}[5m])) > 0',
        *("5m", "page"),
        "Requests are refused because of what they need: the code says which.",
    ),
    Alert(
        "TenantsRefusedAtFence",
        'sum(rate(docshard_problems_total{code="tenant_moving"}[5m])) > 0',
        *("1m", "page"),
        "Tenants at the switch of a move were refused: the pause was longer than callers wait.",
    ),
    Alert(
        "MoveStaysFenced",
        'max(docshard_move_phase_seconds{phase="fenced"}) > 30',
        *("30s", "page"),
        "A move has kept its tenants fenced for half a minute: they cannot be served.",
    ),
    Alert(
        "MovesUnattended",
        "max(docshard_moves_unattended) > 0",
        *("2m", "ticket"),
        "Moves are due, and no worker runs any.",
    ),
    Alert(
        "NoWorker",
        "absent(docshard_moves_unattended)",
        *("5m", "page"),
        "No worker tells of the fleet: no audit row is linked, no move and no restore point made.",
    ),
    Alert(
        "JobFails",
        'sum by (job) (increase(docshard_job_runs_total{outcome="failed"}[30m])) > 3',
        *("5m", "ticket"),
        "A timed job fails again and again; the worker's log says why.",
    ),
    Alert(
        "AuditChainLags",
        "max by (shard) (docshard_audit_chain_delay_seconds) > 60",
        *("5m", "ticket"),
        "Audit rows wait more than a minute for their link: the change feed is behind as much.",
    ),
    Alert(
        "AuditMonthsMissing",
        "min by (shard) (docshard_audit_months_ahead) < 1",
        *("15m", "ticket"),
        "Next month has no partition yet: its rows would go to DEFAULT.",
    ),
    Alert(
        "AuditRowsStray",
        "max by (shard) (docshard_audit_stray_months) > 0",
        *("3h", "ticket"),
        "Audit rows lie in the DEFAULT partition, and their month cannot be made meanwhile.",
    ),
)
BACKUPS: Final = (
    Alert(
        "RestorePointsLate",
        "min(docshard_restore_point_age_seconds) > 1800",
        *("5m", "ticket"),
        "No restore point for half an hour: all clusters go back together to an older one only.",
    ),
    Alert(
        "BackupOld",
        "min by (stanza) (docshard_backup_age_seconds) > 93600",
        *("10m", "page"),
        "The newest backup is older than 26 hours: a restore replays so much WAL, if it is there.",
    ),
    Alert(
        "WalNotArchived",
        "max by (shard) (docshard_wal_archiving_fails) > 0",
        *("10m", "page"),
        "WAL does not reach the repositories: a lost cluster would lose it, and it fills the disk.",
    ),
    Alert(
        "WalArchivedLate",
        "min by (shard) (docshard_wal_archived_age_seconds) > 900",
        *("5m", "page"),
        "No WAL has been archived for a quarter of an hour: so much a lost cluster would lose.",
    ),
    Alert(
        "DrillNotGood",
        "min by (shard) (docshard_drill_good) < 1",
        *("5m", "ticket"),
        "The last drill missed its goals, or what it restored was not sound.",
    ),
)


def drills_and_copies(drill_days: int, copy_seconds: int | None) -> Iterator[Alert]:
    """Alerts whose bounds the fleet file says; `copy_seconds` None: there is no copy."""
    yield Alert(
        "DrillOld",
        f"min by (shard) (docshard_drill_good_age_seconds) > {drill_days * 86_400}",
        *("1h", "ticket"),
        f"No good drill for {drill_days} days: nobody knows whether this cluster can be restored.",
    )
    if copy_seconds is not None:
        yield Alert(
            "BlobCopyOld",
            f"min(docshard_blob_copy_age_seconds) > {max(3_600, 3 * copy_seconds)}",
            *("15m", "ticket"),
            "The other region's copy of the documents lacks what is younger.",
        )

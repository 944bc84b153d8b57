"""A scene for each alert in which it fires, and one in which all is well; for promtool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

CODES = "docshard_problems_total"


@dataclass(frozen=True)
class Scene:
    """Series with their values, one each minute, and the minute at which the alert fires."""

    series: dict[str, str]
    minute: int = 15

    def test(self, alert: str) -> dict[str, Any]:
        """Not at once, but then."""
        firing = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
        return {
            "interval": "1m",
            "input_series": [{"series": name, "values": v} for name, v in self.series.items()],
            "promql_expr_test": [
                {"eval_time": "0m", "expr": firing, "exp_samples": []},
                {
                    "eval_time": f"{self.minute}m",
                    "expr": f"count({firing}) > bool 0",
                    "exp_samples": [{"labels": "{}", "value": 1}],
                },
            ],
        }


def requests(good: int, bad: int) -> dict[str, str]:
    return {
        'docshard_requests_total{route="get_document", status="2xx"}': f"0+{good}x60",
        'docshard_requests_total{route="get_document", status="5xx"}': f"0+{bad}x60",
    }


def slow(route: str, bound: str, share: int) -> dict[str, str]:
    """Of a hundred requests a minute `share` take longer than the bound."""
    name = "docshard_request_seconds"
    return {
        f'{name}_bucket{{route="{route}", le="{bound}"}}': f"0+{100 - share}x60",
        f'{name}_count{{route="{route}"}}': "0+100x60",
    }


FIRING = {
    "TargetDown": Scene({'up{job="patroni", node="a"}': "0x60"}),
    "ClusterWithoutPrimary": Scene({'patroni_primary{scope="shard-1", name="a"}': "0x60"}),
    "ClusterWithTwoPrimaries": Scene(
        {f'patroni_primary{{scope="shard-1", name="{n}"}}': "1x60" for n in "ab"}
    ),
    "ClusterWithoutSynchronousReplica": Scene(
        {'patroni_sync_standby{scope="shard-1", name="a"}': "0x60"}
    ),
    "EtcdWithoutLeader": Scene({'etcd_server_has_leader{node="a"}': "0x60"}),
    "EtcdNearlyWithoutQuorum": Scene(
        {f'up{{job="etcd", node="{n}"}}': f"{up}x60" for n, up in (("a", 1), ("b", 1), ("c", 0))}
    ),
    "ReplicaBehind": Scene(
        {
            'patroni_xlog_location{scope="shard-1", name="a"}': "200000000x60",
            'patroni_xlog_replayed_location{scope="shard-1", name="b"}': "100000000x60",
            'patroni_replica{scope="shard-1", name="b"}': "1x60",
        }
    ),
    "ReplicaDoesNotStream": Scene(
        {
            'patroni_replica{scope="shard-1", name="b"}': "1x60",
            'patroni_postgres_streaming{scope="shard-1", name="b"}': "0x60",
        }
    ),
    "PatroniPaused": Scene({'patroni_is_paused{scope="shard-1"}': "1x90"}, 75),
    "PatroniWithoutEtcd": Scene({'patroni_dcs_last_seen{scope="shard-1"}': "0x60"}),
    "RestartPending": Scene({'patroni_pending_restart{scope="shard-1"}': "1x1500"}, 1500),
    "ServerDown": Scene({'pg_up{node="a"}': "0x60"}),
    "ConnectionsNearlyGone": Scene(
        {
            'pg_stat_database_numbackends{cluster="c", node="a"}': "95x60",
            'pg_settings_max_connections{cluster="c", node="a"}': "100x60",
        }
    ),
    "SlotNearlyLost": Scene({'pg_replication_slot_safe_wal_size_bytes{node="a"}': "1000x60"}),
    "SlotLost": Scene({'pg_replication_slot_wal_status{wal_status="lost", node="a"}': "1x60"}),
    "PoolerDown": Scene({'pgbouncer_up{node="a"}': "0x60"}),
    "PoolerQueues": Scene({'pgbouncer_pools_client_maxwait_seconds{node="a"}': "2x60"}),
    "NoRouter": Scene({'up{job="router", node="a"}': "0x60"}),
    "ErrorBudgetBurnsFast": Scene(requests(980, 20)),
    "ErrorBudgetBurns": Scene(requests(990, 10), 30),
    "ReadsSlow": Scene(slow("get_document", "0.25", 2), 30),
    "WritesSlow": Scene(slow("create_document", "0.5", 2), 30),
    "PrimaryUnknown": Scene({'docshard_primary_known{shard="shard-1"}': "0x60"}),
    "ReplicaLags": Scene({'docshard_replica_lag_seconds{shard="shard-1"}': "30x60"}),
    "PoolExhausted": Scene(
        {'docshard_db_failures_total{shard="shard-1", kind="pool_exhausted"}': "0+1x60"}
    ),
    "DependencyAway": Scene({f'{CODES}{{code="storage_unavailable"}}': "0+1x60"}),
    "TenantsRefusedAtFence": Scene({f'{CODES}{{code="tenant_moving"}}': "0+1x60"}),
    "MoveStaysFenced": Scene({'docshard_move_phase_seconds{phase="fenced"}': "60x60"}),
    "MovesUnattended": Scene({"docshard_moves_unattended": "1x60"}),
    "NoWorker": Scene({"something_else": "1x60"}),
    "JobFails": Scene({'docshard_job_runs_total{job="uploads", outcome="failed"}': "0+1x60"}, 30),
    "AuditChainLags": Scene({'docshard_audit_chain_delay_seconds{shard="shard-1"}': "90x60"}),
    "AuditMonthsMissing": Scene({'docshard_audit_months_ahead{shard="shard-1"}': "0x60"}, 20),
    "AuditRowsStray": Scene({'docshard_audit_stray_months{shard="shard-1"}': "1x240"}, 200),
    "RestorePointsLate": Scene({"docshard_restore_point_age_seconds": "3600x60"}),
    "WalNotArchived": Scene({'docshard_wal_archiving_fails{shard="shard-1"}': "1x60"}),
    "WalArchivedLate": Scene({'docshard_wal_archived_age_seconds{shard="shard-1"}': "1000x60"}),
    "DrillNotGood": Scene({'docshard_drill_good{shard="shard-1"}': "0x60"}),
    "DrillOld": Scene({'docshard_drill_good_age_seconds{shard="shard-1"}': "4000000x90"}, 75),
    "BlobCopyOld": Scene({"docshard_blob_copy_age_seconds": "7200x60"}, 30),
    "BackupOld": Scene({'docshard_backup_age_seconds{stanza="docshard-global"}': "100000x60"}),
}
ALL_IS_WELL = {
    **requests(10_000, 1),
    **slow("get_document", "0.25", 0),
    **slow("create_document", "0.5", 0),
    **{f'up{{job="etcd", node="{n}"}}': "1x60" for n in "abc"},
    **{f'patroni_primary{{scope="{c}", name="a"}}': "1x60" for c in ("global", "shard-1")},
    **{f'patroni_sync_standby{{scope="{c}", name="b"}}': "1x60" for c in ("global", "shard-1")},
    'up{job="router", node="a"}': "1x60",
    'docshard_primary_known{shard="shard-1"}': "1x60",
    'docshard_replica_lag_seconds{shard="shard-1"}': "0.5x60",
    'docshard_db_failures_total{shard="shard-1", kind="pool_exhausted"}': "7x60",
    f'{CODES}{{code="tenant_moving"}}': "7x60",
    'docshard_move_phase_seconds{phase="fenced"}': "0x60",
    "docshard_moves_unattended": "0x60",
    'docshard_job_runs_total{job="uploads", outcome="failed"}': "1x60",
    'docshard_audit_chain_delay_seconds{shard="shard-1"}': "1x60",
    'docshard_audit_months_ahead{shard="shard-1"}': "3x60",
    'docshard_audit_stray_months{shard="shard-1"}': "0x60",
    "docshard_restore_point_age_seconds": "200x60",
    "docshard_blob_copy_age_seconds": "300x60",
    'docshard_wal_archiving_fails{shard="shard-1"}': "0x60",
    'docshard_wal_archived_age_seconds{shard="shard-1"}': "60x60",
    'docshard_drill_good{shard="shard-1"}': "1x60",
    'docshard_drill_good_age_seconds{shard="shard-1"}': "600000x60",
    'docshard_backup_age_seconds{stanza="docshard-global"}': "3000x60",
}


def file() -> str:
    """All scenes, as `promtool test rules` reads them: JSON is YAML, too."""
    quiet = {
        "interval": "1m",
        "input_series": [{"series": name, "values": v} for name, v in ALL_IS_WELL.items()],
        "promql_expr_test": [
            {"eval_time": "50m", "expr": 'ALERTS{alertstate="firing"}', "exp_samples": []}
        ],
    }
    tests = [quiet, *(scene.test(alert) for alert, scene in FIRING.items())]
    return orjson.dumps(
        {"rule_files": ["rules.yml"], "evaluation_interval": "5m", "tests": tests}
    ).decode()

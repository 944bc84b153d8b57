"""Alerts: what hurts tenants, or will before the next working day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deploy.fleet.file import FleetFile
from deploy.fleet.model import Cluster
from deploy.rendering import yaml
from deploy.rendering.alert import Alert
from deploy.rendering.service_alerts import BACKUPS, DRILL_DAYS, SERVICE, drills_and_copies


def groups(file: FleetFile) -> list[yaml.Value]:
    """The rules by the program that tells their figures, as far as the fleet has it."""
    fleet = file.model
    patroni = [cluster for cluster in fleet.clusters if any(node.patroni for node in cluster.nodes)]
    by_program = {
        "targets": _TARGETS,
        "docshard": [*SERVICE, *_backups(file)],
        "etcd": list(_etcd(len(fleet.etcd))) if fleet.etcd else [],
        "patroni": [*(alert for cluster in patroni for alert in _cluster(cluster)), *_PATRONI]
        if patroni
        else [],
        "postgres": _POSTGRES,
        "pgbouncer": _PGBOUNCER if any(cluster.poolers for cluster in fleet.clusters) else [],
    }
    return _listed(by_program)


def container_groups() -> list[yaml.Value]:
    """The rules where servers are somebody else's to watch: of router and worker alone."""
    return _listed({"targets": _TARGETS, "docshard": SERVICE})


def _listed(by_program: Mapping[str, Sequence[Alert]]) -> list[yaml.Value]:
    return [
        {"name": program, "rules": [alert.rule() for alert in alerts]}
        for program, alerts in by_program.items()
        if alerts
    ]


def _backups(file: FleetFile) -> Iterator[Alert]:
    if file.backups is None:
        return
    days = int(file.service.settings.get("DOCSHARD_BACKUP_DRILL_DAYS", DRILL_DAYS))
    copy = file.backups.blob_copy
    yield from BACKUPS
    yield from drills_and_copies(days, None if copy is None else copy.seconds)


def _cluster(cluster: Cluster) -> Iterator[Alert]:
    """For each cluster: a sum over nothing is nothing, so silence has to count as zero."""

    def members(series: str) -> str:
        return f'(sum({series}{{scope="{cluster.name}"}}) or vector(0))'

    yield Alert(
        "ClusterWithoutPrimary",
        f"{members('patroni_primary')} < 1",
        *("30s", "page"),
        f"{cluster.name} has had no primary for 30 s: its tenants' writes are refused. Look at"
        " Patroni and etcd on its hosts.",
        cluster.name,
    )
    yield Alert(
        "ClusterWithTwoPrimaries",
        f"{members('patroni_primary')} > 1",
        *("30s", "page"),
        f"Two servers of {cluster.name} say that they are its primary. Stop Patroni where it is not"
        " the leader in etcd; routers follow the newer timeline.",
        cluster.name,
    )
    if cluster.replicas:
        yield Alert(
            "ClusterWithoutSynchronousReplica",
            f"{members('patroni_sync_standby')} < 1",
            *("10m", "ticket"),
            f"No replica of {cluster.name} confirms writes: the loss of its primary's disk would"
            " lose them. See that a replica runs and streams.",
            cluster.name,
        )


def _etcd(members: int) -> Iterator[Alert]:
    yield Alert(
        "EtcdWithoutLeader",
        "etcd_server_has_leader == 0",
        *("30s", "page"),
        "This member of etcd knows no leader: without a quorum no cluster can fail over.",
    )
    if members < 3:  # One or two are without a quorum as soon as one is lost, and always nearly so.
        return
    yield Alert(
        "EtcdNearlyWithoutQuorum",
        f'(count(up{{job="etcd"}} == 1) or vector(0)) <= {members // 2 + 1}',
        *("5m", "ticket"),
        "One more member of etcd lost, and no cluster can fail over. Bring the lost one back.",
    )


_TARGETS = [
    Alert(
        "TargetDown",
        "up == 0",
        *("2m", "ticket"),
        "Nothing answers there, so nothing is known of it; other alerts may be blind.",
    )
]
_PATRONI = [
    Alert(
        "ReplicaBehind",
        "max by (scope) (patroni_xlog_location) - on (scope) group_right ()"
        " (patroni_xlog_replayed_location and patroni_replica == 1) > 67108864",
        *("5m", "ticket"),
        "The replica is more than 64 MiB behind: moves wait for it, and reads go to the primary.",
    ),
    Alert(
        "ReplicaDoesNotStream",
        "patroni_replica == 1 and patroni_postgres_streaming == 0",
        *("5m", "ticket"),
        "The replica follows nobody. `patronictl list` tells its state; `patronictl reinit` copies"
        " it anew.",
    ),
    Alert(
        "PatroniPaused",
        "patroni_is_paused == 1",
        *("1h", "ticket"),
        "Patroni was told to leave its cluster alone: nothing fails over. `patronictl resume`.",
    ),
    Alert(
        "PatroniWithoutEtcd",
        "time() - patroni_dcs_last_seen > 60",
        *("1m", "page"),
        "This Patroni has not seen etcd for a minute: its server serves on, and cannot fail over.",
    ),
    Alert(
        "RestartPending",
        "patroni_pending_restart == 1",
        *("1d", "ticket"),
        "A changed parameter waits for a restart: `patronictl restart`, replicas first.",
    ),
]
_POSTGRES = [
    Alert(
        "ServerDown",
        "pg_up == 0",
        *("1m", "page"),
        "The exporter does not get into its server. A replica's reads go elsewhere; of a primary"
        " ClusterWithoutPrimary tells more.",
    ),
    Alert(
        "ConnectionsNearlyGone",
        "sum by (cluster, node) (pg_stat_database_numbackends)"
        " / on (cluster, node) pg_settings_max_connections > 0.9",
        *("5m", "page"),
        "Nine tenths of the server's connections are taken: soon operators are locked out, too."
        " `docshard pool show` tells how they are meant to be divided.",
    ),
    Alert(
        "SlotNearlyLost",
        "pg_replication_slot_safe_wal_size_bytes < 1073741824",
        *("1m", "page"),
        "Less than 1 GiB of WAL until this slot is given up: then its replica has to be copied"
        " anew, or its move begins again. See who does not read it.",
    ),
    Alert(
        "SlotLost",
        'pg_replication_slot_wal_status{wal_status="lost"} == 1',
        *("1m", "ticket"),
        "The slot's WAL is gone. `docshard doctor` names what dead moves left; a replica is copied"
        " anew with `patronictl reinit`.",
    ),
]
_PGBOUNCER = [
    Alert(
        "PoolerDown",
        "pgbouncer_up == 0",
        *("1m", "page"),
        "The exporter does not get into its pooler: who goes through it is refused.",
    ),
    Alert(
        "PoolerQueues",
        "max by (cluster, node, database) (pgbouncer_pools_client_maxwait_seconds) > 1",
        *("2m", "ticket"),
        "Callers wait more than a second for a server connection. Look for long transactions"
        " first; then for more connections (`docshard pool show`).",
    ),
]

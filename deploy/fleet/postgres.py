"""The configuration of one PostgreSQL server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.fleet.model import Address, Cluster, Node
from deploy.fleet.sizing import Connections

REPLICATION_ROLE = "docshard_mover"


def slot_of(node: Node) -> str:
    """The physical replication slot that keeps WAL for this node."""
    return node.name.replace("-", "_")


def upstream(cluster: Cluster, node: Node, password: str) -> str:
    """primary_conninfo: all other nodes, so that a replica finds whichever is the primary."""
    others = [peer.address for peer in cluster.nodes if peer != node]
    fields = {
        "host": ",".join(address.host for address in others),
        "port": ",".join(str(address.port) for address in others),
        "user": REPLICATION_ROLE,
        "password": password,
        "application_name": slot_of(node),
        "target_session_attrs": "read-write" if len(others) > 1 else "any",
        "connect_timeout": "2",
        "tcp_user_timeout": "10000",
    }
    return " ".join(f"{key}={value}" for key, value in fields.items())


def server_settings(cluster: Cluster, node: Node, password: str) -> dict[str, str]:
    """What differs from PostgreSQL's defaults on this node when it runs without Patroni.

    Every node gets the settings of a replica too: they rest until the node follows another.
    """
    settings = {
        "cluster_name": node.name,
        "listen_addresses": node.address.host,
        "port": str(node.address.port),
        **shared_settings(),
    }
    if len(cluster.nodes) > 1:
        settings["primary_conninfo"] = upstream(cluster, node, password)
        settings["primary_slot_name"] = slot_of(node)
    return settings


def shared_settings(connections: Connections | None = None) -> dict[str, str]:
    """What differs from PostgreSQL's defaults on every node alike, Patroni or not."""
    connections = connections or Connections()
    return {
        "unix_socket_directories": "",
        "max_connections": str(connections.max_connections),
        "superuser_reserved_connections": str(connections.superuser),
        "password_encryption": "scram-sha-256",
        "shared_buffers": "64MB",
        "max_wal_size": "1GB",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_lock_waits": "on",
        "tcp_user_timeout": "10s",
        "tcp_keepalives_idle": "10",
        **_replication_settings(),
    }


def _replication_settings() -> dict[str, str]:
    return {
        # Moves decode from the first byte on: raising wal_level later needs a restart.
        "wal_level": "logical",
        "max_wal_senders": "24",
        "max_replication_slots": "24",
        "max_worker_processes": "24",
        "max_logical_replication_workers": "16",
        "max_sync_workers_per_subscription": "4",
        "wal_retrieve_retry_interval": "500ms",
        "wal_sender_timeout": "10s",
        "wal_receiver_timeout": "10s",
        # A replica that stays away fills no disk for ever: past this its slot is given up.
        "max_slot_wal_keep_size": "4GB",
        "wal_keep_size": "256MB",
        "hot_standby_feedback": "on",
    }


def render_settings(settings: Mapping[str, str]) -> str:
    """The text of a postgresql.conf fragment."""
    lines = [f"{key} = '{_quoted(value)}'" for key, value in settings.items()]
    return "\n".join(["# Written at every start of this node.", *lines, ""])


def render_access(networks: Sequence[str]) -> str:
    """pg_hba.conf: the rules of access and nothing else."""
    return "\n".join(["# Written at every start of this node.", *access_rules(networks), ""])


def access_rules(networks: Sequence[str], *, encrypted: bool = False) -> list[str]:
    """Lines of pg_hba.conf: passwords by SCRAM from these networks, and only by TLS if told so."""
    kind = "hostssl" if encrypted else "host"
    rules = []
    for network in networks:
        rules.append(f"{kind}  all          all                  {network}  scram-sha-256")
        rules.append(f"{kind}  replication  {REPLICATION_ROLE}  {network}  scram-sha-256")
    return rules


def initdb_options(major: int) -> dict[str, str | None]:
    """Options of initdb that every cluster is made with; None for one that takes no value.

    A fixed locale, so that sort order is the same on every machine.
    """
    options: dict[str, str | None] = {
        "auth": "scram-sha-256",
        "encoding": "UTF8",
        "data-checksums": None,
        "locale": "C.UTF-8",
    }
    if major >= 17:
        options |= {"locale-provider": "builtin", "builtin-locale": "C.UTF-8"}
    return options


def superuser_dsn(address: Address, password: str) -> str:
    """Connection string of the superuser `postgres`, used only to set a cluster up."""
    return (
        f"host={address.host} port={address.port} user=postgres password={password} dbname=postgres"
    )


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")

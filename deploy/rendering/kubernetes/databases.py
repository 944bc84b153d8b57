"""A CloudNativePG Cluster for the global database and each shard, with Poolers before it."""

from __future__ import annotations

from typing import Any

from deploy.fleet.file import FleetFile
from deploy.fleet.model import DATABASE, Cluster
from deploy.fleet.pgbouncer import PoolerRefused
from deploy.fleet.sizing import Connections
from deploy.rendering.kubernetes.objects import AUTHORITY, Object, labels, named

API = "postgresql.cnpg.io/v1"
PORT = 5432
# The operator sets these itself and refuses a Cluster that does.
_OPERATORS_OWN = (
    "archive_",
    "recovery_",
    "restore_",
    "ssl",
    "syslog_",
    "unix_socket_",
    "wal_level",
)


def databases(file: FleetFile, cluster: Cluster) -> list[Object]:
    """The Cluster, and a Pooler for writes and one for reads from replicas."""
    poolers = [_pooler(file, cluster, kind) for kind in kinds(cluster) if cluster.poolers]
    return [_cluster(file, cluster), *poolers]


def kinds(cluster: Cluster) -> tuple[str, ...]:
    """The services of a cluster: `rw` leads to the primary, `ro` to its replicas."""
    return ("rw", "ro") if cluster.replicas else ("rw",)


def addresses(cluster: Cluster) -> list[dict[str, Any]]:
    """A cluster's nodes as services see them: which server a name leads to is the operator's."""
    return [
        {
            "name": f"{cluster.name}-{kind}",
            "host": f"{cluster.name}-{kind}",
            "port": PORT,
            "pooler": {"host": pooler(cluster, kind), "port": PORT, "database": DATABASE}
            if cluster.poolers
            else None,
        }
        for kind in kinds(cluster)
    ]


def pooler(cluster: Cluster, kind: str) -> str:
    """A Pooler's name, and its Service's."""
    return f"{cluster.name}-pooler-{kind}"


_INITDB: Object = {
    # Our own database is made by `prepare`; the operator's is left empty.
    "database": "app",
    "dataChecksums": True,
    "encoding": "UTF8",
    "localeCType": "C.UTF-8",
    "localeCollate": "C.UTF-8",
    "owner": "app",
}


def _cluster(file: FleetFile, cluster: Cluster) -> Object:
    postgres, kubernetes = file.postgres, file.kubernetes
    parameters = {
        name: value
        for name, value in file.settings().items()
        if not name.startswith(_OPERATORS_OWN)
    }
    spec: Object = {
        "instances": len(cluster.nodes),
        "imageName": f"ghcr.io/cloudnative-pg/postgresql:{postgres.version}",
        # `docshard shard prepare` makes roles and extensions as the superuser.
        "enableSuperuserAccess": True,
        "bootstrap": {"initdb": _INITDB},
        "certificates": {
            "serverCASecret": AUTHORITY,
            "serverAltDNSNames": [pooler(cluster, kind) for kind in kinds(cluster)],
        },
        "projectedVolumeTemplate": {
            "sources": [
                {
                    "secret": {
                        "name": AUTHORITY,
                        "items": [{"key": "ca.crt", "path": "docshard/ca.crt"}],
                    }
                }
            ]
        },
        "postgresql": {"parameters": parameters},
        "storage": _volume(kubernetes.storage, kubernetes.storage_class),
        "walStorage": _volume(kubernetes.wal_storage, kubernetes.storage_class),
        "resources": {
            "limits": {"memory": postgres.memory},
            "requests": {"cpu": "1", "memory": postgres.memory},
        },
        "affinity": {
            "enablePodAntiAffinity": True,
            "podAntiAffinityType": "preferred",
            "topologyKey": "kubernetes.io/hostname",
        },
        "inheritedMetadata": {"labels": labels("database")},
        "enablePDB": True,
        "stopDelay": 120,
    }
    if cluster.replicas:
        # As under Patroni: synchronous while a replica is there, not stopped when none is.
        spec["postgresql"]["synchronous"] = {
            "dataDurability": "preferred",
            "method": "any",
            "number": 1,
        }
    return named(API, "Cluster", cluster.name, spec, "database")


def _volume(size: str, storage_class: str | None) -> Object:
    return {"size": size} | ({"storageClass": storage_class} if storage_class else {})


def _pooler(file: FleetFile, cluster: Cluster, kind: str) -> Object:
    common = file.pgbouncer
    instances = len(cluster.poolers)
    connections = _connections(file, cluster, instances)
    spec: Object = {
        "cluster": {"name": cluster.name},
        "instances": instances,
        "type": kind,
        "pgbouncer": {
            "poolMode": "transaction",
            "parameters": {
                "default_pool_size": str(connections.per_user),
                "max_client_conn": str(common.max_client_conn if common else 1000),
                "max_db_connections": str(connections.per_pooler),
                "query_wait_timeout": "5",
            },
        },
        "template": {
            "metadata": {"labels": labels("pooler")},
            "spec": {
                "containers": [
                    {
                        "name": "pgbouncer",
                        "resources": {
                            "limits": {"memory": "256Mi"},
                            "requests": {"cpu": "250m", "memory": "256Mi"},
                        },
                    }
                ],
                "topologySpreadConstraints": [
                    {
                        "labelSelector": {
                            "matchLabels": {"cnpg.io/poolerName": pooler(cluster, kind)}
                        },
                        "maxSkew": 1,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "ScheduleAnyway",
                    }
                ],
            },
        },
    }
    return named(API, "Pooler", pooler(cluster, kind), spec, "pooler")


def _connections(file: FleetFile, cluster: Cluster, instances: int) -> Connections:
    """How a server's connections are divided: a promoted replica has both Poolers for a while."""
    try:
        return file.connections(instances * len(kinds(cluster)))
    except ValueError as error:
        raise PoolerRefused(
            f"{cluster.name}: {error}; raise postgres.max_connections, or lower postgres.reserved"
            " or the number of poolers"
        ) from error

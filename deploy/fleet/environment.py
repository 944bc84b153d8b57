"""The environment of router, worker and command: the fleet as DOCSHARD_* variables."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.fleet.model import DATABASE, Bucket, Cluster, Fleet, Node, Storage

HEADER = "# Written by `docshard up`; holds secrets.\n"


@dataclass(frozen=True)
class BackupCredentials:
    """What backups need: the role's password on every cluster, the identity at the buckets."""

    password: str
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Credentials:
    """What services need to get in: role passwords, the S3 identity, the key file."""

    passwords: Mapping[str, str]
    s3_access_key: str
    s3_secret_key: str
    key_file: Path
    backup: BackupCredentials | None = None


def _pooled(cluster: Cluster, node: Node) -> dict[str, Any] | None:
    poolers = cluster.poolers_of(node)
    if not poolers:
        return None
    address = poolers[0].address
    return {
        "host": address.host,
        "port": address.port,
        "database": cluster.pooled_database(node),
    }


def node_addresses(cluster: Cluster) -> list[dict[str, Any]]:
    """A cluster's nodes as services and the directory write them down."""
    return [
        {
            "name": node.name,
            "host": node.address.host,
            "port": node.address.port,
            "pooler": _pooled(cluster, node),
        }
        for node in cluster.nodes
    ]


def service_environment(fleet: Fleet, credentials: Credentials, data: Path) -> dict[str, str]:
    """Every variable that a service reads, by name. `data`: where servers keep their data."""
    storage, router = fleet.storage, fleet.router
    return {
        "DOCSHARD_ENV": "development",
        "DOCSHARD_GLOBAL_NODES": json.dumps(node_addresses(fleet.global_cluster)),
        "DOCSHARD_DATABASE": DATABASE,
        "DOCSHARD_APP_PASSWORD": credentials.passwords["docshard_app"],
        "DOCSHARD_WORKER_PASSWORD": credentials.passwords["docshard_worker"],
        "DOCSHARD_ADMIN_DB_PASSWORD": credentials.passwords["docshard_admin"],
        "DOCSHARD_MOVER_PASSWORD": credentials.passwords["docshard_mover"],
        "DOCSHARD_S3_ENDPOINT": f"http://{storage.address.host}:{storage.address.port}",
        "DOCSHARD_S3_REGION": storage.bucket.region,
        "DOCSHARD_S3_BUCKET": storage.bucket.name,
        "DOCSHARD_S3_ACCESS_KEY": credentials.s3_access_key,
        "DOCSHARD_S3_SECRET_KEY": credentials.s3_secret_key,
        "DOCSHARD_KEY_FILE": str(credentials.key_file),
        "DOCSHARD_LISTEN_HOST": router.address.host,
        "DOCSHARD_LISTEN_PORT": str(router.address.port),
        "DOCSHARD_ROUTER_WORKERS": str(router.workers),
        # One machine plays all tenants: load tests must reach the databases, not our limits.
        "DOCSHARD_REQUESTS_PER_SECOND_PER_PRINCIPAL": "1000",
        "DOCSHARD_REQUESTS_PER_SECOND_PER_CLIENT": "2000",
        "DOCSHARD_FREE_LOGIN_FAILURES_PER_ADDRESS": "1000000",
        # A line for each request of a load test would fill the home.
        "DOCSHARD_LOG_REQUESTS": "slow",
        # Who tries a move out wants to see its end; in earnest the way back stays open for an hour.
        "DOCSHARD_MOVE_GRACE_SECONDS": "5",
        "DOCSHARD_MOVE_DATA_FOLDER": str(data),
        **_backup_environment(fleet, credentials.backup, data),
    }


def _backup_environment(
    fleet: Fleet, credentials: BackupCredentials | None, data: Path
) -> dict[str, str]:
    if fleet.backups is None or credentials is None:
        return {}
    buckets = [
        _reached(store, one.bucket)
        for store, one in zip(
            (fleet.storage, fleet.far or fleet.storage), fleet.backups.repositories, strict=True
        )
    ]
    copy = {}
    if fleet.far is not None:
        copy = {
            "DOCSHARD_BACKUP_BLOB_COPY": json.dumps(_reached(fleet.far, fleet.far.bucket)),
            "DOCSHARD_BACKUP_BLOB_COPY_SECONDS": "15",
        }
    return {
        **copy,
        "DOCSHARD_S3_VERSIONING": "true",
        "DOCSHARD_BACKUP_TIMELY": "true",
        "DOCSHARD_BACKUP_BUCKETS": json.dumps(buckets),
        "DOCSHARD_BACKUP_ACCESS_KEY": credentials.access_key,
        "DOCSHARD_BACKUP_SECRET_KEY": credentials.secret_key,
        "DOCSHARD_BACKUP_DB_PASSWORD": credentials.password,
        "DOCSHARD_BACKUP_FOLDER": str(data / "pgbackrest"),
    }


def _reached(storage: Storage, bucket: Bucket) -> dict[str, str]:
    """Past TLS, whose certificate on one machine nobody but pgBackRest is told to trust."""
    endpoint = f"http://{storage.address.host}:{storage.address.port}"
    return {"endpoint": endpoint, "bucket": bucket.name, "region": bucket.region}


def render_environment(variables: Mapping[str, str]) -> str:
    """A file that a shell can source and `parse_environment` can read."""
    lines = (f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    return HEADER + "".join(lines)


def parse_environment(text: str) -> dict[str, str]:
    """The variables of such a file."""
    words = shlex.split(text, comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)

"""What router, worker and command are told: variables that hold no secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deploy.fleet.environment import node_addresses
from deploy.fleet.file import FleetFile
from deploy.fleet.model import DATABASE
from deploy.fleet.sections import BlobCopySection, RepositorySection

SECRETS: Mapping[str, tuple[str, ...]] = {
    "router": ("DOCSHARD_APP_PASSWORD",),
    "worker": ("DOCSHARD_WORKER_PASSWORD", "DOCSHARD_MOVER_PASSWORD"),
    "command": (
        *("DOCSHARD_ADMIN_DB_PASSWORD", "DOCSHARD_APP_PASSWORD", "DOCSHARD_MOVER_PASSWORD"),
        "DOCSHARD_WORKER_PASSWORD",
    ),
}
"""Which passwords each process needs, and no other; blobs besides."""
STORAGE_SECRETS = ("DOCSHARD_S3_ACCESS_KEY", "DOCSHARD_S3_SECRET_KEY")


def worker_variables(file: FleetFile) -> dict[str, str]:
    """Where a worker in a container of its own tells its figures."""
    return {
        "DOCSHARD_METRICS_HOST": "0.0.0.0",  # noqa: S104 - inside the container
        "DOCSHARD_METRICS_PORT": str(file.prometheus.worker_port),
    }


def service_variables(
    file: FleetFile, nodes: list[dict[str, Any]] | None = None, authority: str | None = None
) -> dict[str, str]:
    """Every variable that is no secret, by name.

    `nodes` and `authority` stand for the fleet file's where servers and files have other addresses
    than on the fleet's hosts.
    """
    storage = file.storage
    signed = authority or file.service.authority
    told = {
        "DOCSHARD_ENV": "production",
        "DOCSHARD_GLOBAL_NODES": json.dumps(nodes or node_addresses(file.model.global_cluster)),
        "DOCSHARD_DATABASE": DATABASE,
        "DOCSHARD_DATABASE_SSLMODE": "verify-full",
        "DOCSHARD_S3_ENDPOINT": f"https://{storage.host}:{storage.port}",
        "DOCSHARD_S3_REGION": storage.region,
        "DOCSHARD_S3_BUCKET": storage.bucket,
    }
    if file.prometheus.networks:
        told["DOCSHARD_METRICS_NETWORKS"] = json.dumps(list(file.prometheus.networks))
    if signed:
        told["DOCSHARD_DATABASE_SSLROOTCERT"] = signed
    if storage.authority:
        told["DOCSHARD_S3_CA_FILE"] = storage.authority
    return dict(sorted((told | file.service.settings).items()))


def backup_variables(file: FleetFile) -> dict[str, str]:
    """Where backups by pgBackRest and the copy of the documents are; none without backups.

    Keys stand with the other secrets.
    """
    if file.backups is None:
        return {}
    copy = file.backups.blob_copy
    told = {
        "DOCSHARD_BACKUP_BUCKETS": json.dumps([_bucket(one) for one in file.backups.repository]),
        "DOCSHARD_BACKUP_PATH": f"/{file.fleet.name}",
    }
    if copy is not None:
        told["DOCSHARD_BACKUP_BLOB_COPY"] = json.dumps(_bucket(copy))
        told["DOCSHARD_BACKUP_BLOB_COPY_SECONDS"] = str(copy.seconds)
    return told


def _bucket(one: RepositorySection | BlobCopySection) -> dict[str, str]:
    endpoint = f"https://{one.host}:{one.port}"
    authority = {"ca_file": one.authority} if one.authority else {}
    return {"endpoint": endpoint, "bucket": one.bucket, "region": one.region, **authority}

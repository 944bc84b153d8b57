"""What router, worker and command are told: variables that hold no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.fleet.environment import node_addresses
from deploy.fleet.file import FleetFile
from deploy.fleet.model import DATABASE
from deploy.fleet.sections import BlobCopySection, RepositorySection
from deploy.fleet.storage_section import StorageSection

Store = StorageSection | RepositorySection | BlobCopySection

PASSWORDS: Mapping[str, tuple[str, ...]] = {
    "router": ("DOCSHARD_APP_PASSWORD",),
    "worker": ("DOCSHARD_WORKER_PASSWORD", "DOCSHARD_MOVER_PASSWORD"),
    "command": (
        *("DOCSHARD_ADMIN_DB_PASSWORD", "DOCSHARD_APP_PASSWORD", "DOCSHARD_MOVER_PASSWORD"),
        "DOCSHARD_WORKER_PASSWORD",
    ),
}
"""Which passwords each process needs, and no other; what opens stores besides."""
_STORAGE = ("DOCSHARD_S3_ACCESS_KEY", "DOCSHARD_S3_SECRET_KEY")
_BACKUPS = ("DOCSHARD_BACKUP_ACCESS_KEY", "DOCSHARD_BACKUP_SECRET_KEY")
_BACKED = ("worker", "command")
"""Who reaches the buckets with backups, and the copy of the documents."""
_AUTHORITIES = "stores.crt"


@dataclass(frozen=True)
class Inside:
    """Where things stand for a container, other than on the fleet's hosts.

    `authority` is a file with who signed the servers' certificates, `secrets` the folder with what
    `secrets_of` names.
    """

    nodes: list[dict[str, Any]]
    authority: str
    secrets: str


def secrets_of(file: FleetFile, role: str) -> list[str]:
    """The files that a container needs beside the servers' authority, by their names."""
    backups = _BACKUPS if file.backups and role in _BACKED else ()
    authorities = [_AUTHORITIES] if any(one.authority for one in stores(file)) else []
    return [*PASSWORDS[role], *_STORAGE, *backups, *authorities]


def stores(file: FleetFile) -> Iterator[Store]:
    """Every store that is reached: of the documents, of backups, of the documents' copy."""
    yield file.storage
    if file.backups:
        yield from file.backups.repository
        if file.backups.blob_copy:
            yield file.backups.blob_copy


def worker_variables(file: FleetFile) -> dict[str, str]:
    """Where a worker in a container of its own tells its figures."""
    return {
        "DOCSHARD_METRICS_HOST": "0.0.0.0",  # noqa: S104 - inside the container
        "DOCSHARD_METRICS_PORT": str(file.prometheus.worker_port),
    }


def service_variables(file: FleetFile, inside: Inside | None = None) -> dict[str, str]:
    """Every variable that is no secret, by name; of a container when `inside` is told."""
    storage = file.storage
    signed = inside.authority if inside else file.service.authority
    nodes = inside.nodes if inside else node_addresses(file.model.global_cluster)
    told = {
        "DOCSHARD_ENV": "production",
        "DOCSHARD_GLOBAL_NODES": json.dumps(nodes),
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
        told["DOCSHARD_S3_CA_FILE"] = _authority(storage.authority, inside)
    return dict(sorted((told | _backups(file, inside) | file.service.settings).items()))


def _backups(file: FleetFile, inside: Inside | None) -> dict[str, str]:
    """Where backups by pgBackRest and the copy of the documents are; none without backups."""
    if file.backups is None:
        return {}
    copy = file.backups.blob_copy
    told = {
        "DOCSHARD_BACKUP_BUCKETS": json.dumps(
            [_bucket(one, inside) for one in file.backups.repository]
        ),
        "DOCSHARD_BACKUP_PATH": f"/{file.fleet.name}",
    }
    if copy is not None:
        told["DOCSHARD_BACKUP_BLOB_COPY"] = json.dumps(_bucket(copy, inside))
        told["DOCSHARD_BACKUP_BLOB_COPY_SECONDS"] = str(copy.seconds)
    return told


def _bucket(one: RepositorySection | BlobCopySection, inside: Inside | None) -> dict[str, str]:
    endpoint = f"https://{one.host}:{one.port}"
    authority = {"ca_file": _authority(one.authority, inside)} if one.authority else {}
    return {"endpoint": endpoint, "bucket": one.bucket, "region": one.region, **authority}


def _authority(named: str, inside: Inside | None) -> str:
    """A container has all stores' authorities in one file."""
    return f"{inside.secrets}/{_AUTHORITIES}" if inside else named

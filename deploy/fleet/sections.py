"""The tables of a fleet file, as they are written."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from deploy.fleet.model import Part
from deploy.fleet.versions import NEWEST, OLDEST, Version, parse_short

Port = Annotated[int, Field(ge=1, le=65_535)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
# Hosts and paths go into files of many formats; what none of these has to quote is enough.
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$")]
FilePath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]+$")]
Setting = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]*$")]
Variable = Annotated[str, Field(pattern=r"^DOCSHARD_[A-Z0-9_]+$")]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]
Image = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]{0,254}$")]
Quantity = Annotated[str, Field(pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$")]
Network = Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]


def _supported(text: str) -> str:
    if not OLDEST <= parse_short(text) <= NEWEST:
        raise ValueError(
            f"PgBouncer {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} are known here"
        )
    return text


_SECRET = re.compile("(PASSWORD|SECRET_KEY|ACCESS_KEY|TOKEN)$")
SAID_ELSEWHERE = frozenset(
    f"DOCSHARD_{name}"
    for name in (
        *("DATABASE", "DATABASE_SSLMODE", "DATABASE_SSLROOTCERT", "ENV", "GLOBAL_NODES"),
        *("LISTEN_HOST", "LISTEN_PORT", "ROUTER_WORKERS", "S3_BUCKET", "S3_CA_FILE", "S3_ENDPOINT"),
        *("S3_REGION", "SECRETS_DIR"),
    )
)
"""Variables that are made from the fleet itself."""

_NOT_TO_BE_SET = {
    "max_connections": "postgres.max_connections says it, and poolers are sized by it",
    "superuser_reserved_connections": "postgres.reserved.superuser says it",
    "wal_level": "moves need logical",
    "password_encryption": "poolers need scram-sha-256",
}


class Reserved(Part):
    """Connections of each server that poolers leave alone; see `sizing.Connections`."""

    superuser: int = Field(default=3, ge=1)
    direct: int = Field(default=16, ge=1)
    moves: int = Field(default=10, ge=0)
    admin: int = Field(default=6, ge=1)


class Certificate(Part):
    """What servers prove their names with; a file of that name on each host, of its own content."""

    certificate: FilePath
    key: FilePath


class Postgres(Part):
    """The servers: major version, folders on their hosts, who may connect, how many.

    `memory` is what a server's container may take, `cpus` what a server's host has. `settings`
    stand in for those that every server has otherwise, but for those that something else rests on.
    In production servers need `tls`.
    """

    version: int = Field(ge=15, le=18)
    programs: FilePath
    data: FilePath
    networks: tuple[Network, ...] = Field(min_length=1)
    max_connections: int = Field(default=120, ge=20, le=10_000)
    reserved: Reserved = Reserved()
    memory: Quantity = "8Gi"
    cpus: int = Field(default=4, ge=1, le=1024)
    tls: Certificate | None = None
    settings: dict[Setting, str] = Field(default_factory=dict)

    @field_validator("settings")
    @classmethod
    def _leaves_alone_what_others_rest_on(cls, settings: dict[str, str]) -> dict[str, str]:
        if taken := sorted(settings.keys() & _NOT_TO_BE_SET.keys()):
            told = (f"{name} is not set here: {_NOT_TO_BE_SET[name]}" for name in taken)
            raise ValueError("; ".join(told))
        return settings


class Tls(Part):
    """Certificates of poolers and how strictly they look at servers'."""

    mode: Literal["verify-full", "verify-ca"] = "verify-full"
    authority: FilePath
    certificate: FilePath
    key: FilePath


class Pgbouncer(Part):
    """What all poolers have in common."""

    version: Annotated[str, AfterValidator(_supported)]
    max_client_conn: int = Field(default=1000, ge=10, le=100_000)
    auth: Literal["query", "file"] = "query"
    auth_file: FilePath
    tls: Tls | None = None

    @property
    def number(self) -> Version:
        """The version as numbers."""
        return parse_short(self.version)


class NodeSection(Part):
    """One server."""

    name: Name
    host: Host
    port: Port = 5432
    patroni_port: Port | None = None


class PoolerSection(Part):
    """One address where poolers listen."""

    name: Name
    host: Host
    port: Port = 6432
    nodes: tuple[Name, ...] = ()
    instances: int = Field(default=1, ge=1, le=64)


class ClusterSection(Part):
    """A cluster; its first node is born its primary."""

    name: Name
    node: tuple[NodeSection, ...] = Field(min_length=1)
    pooler: tuple[PoolerSection, ...] = ()

    @model_validator(mode="after")
    def _poolers_stand_before_nodes_of_theirs(self) -> ClusterSection:
        own = {node.name for node in self.node}
        for pooler in self.pooler:
            if strangers := set(pooler.nodes) - own:
                raise ValueError(
                    f"{pooler.name} names nodes that {self.name} has not: "
                    + ", ".join(sorted(strangers))
                )
        return self


class EtcdSection(Part):
    """One member of etcd."""

    name: Name
    host: Host
    port: Port = 2379
    peer_port: Port = 2380


class RouterSection(Part):
    """One host that serves the API."""

    name: Name
    host: Host
    port: Port = 8080
    workers: int = Field(default=2, ge=1, le=256)


class WorkerSection(Part):
    """One process of background work."""

    name: Name
    host: Host


class ServiceSection(Part):
    """How router and worker run: whose they are, where their files lie, what they are told.

    `environment` is a file of DOCSHARD_… variables, passwords among them, for that user alone.
    `authority` signed the certificates of servers and poolers. `settings` are further variables,
    none of them secret.
    """

    user: Name = "docshard"
    programs: FilePath = "/opt/docshard/bin"
    environment: FilePath = "/etc/docshard/service.env"
    authority: FilePath | None = None
    image: Image = "docshard:0.1.0"
    settings: dict[Variable, Line] = Field(default_factory=dict)

    @field_validator("settings")
    @classmethod
    def _no_secrets_and_nothing_twice(cls, settings: dict[str, str]) -> dict[str, str]:
        if secret := sorted(name for name in settings if _SECRET.search(name)):
            raise ValueError(f"{', '.join(secret)}: no secret stands in a fleet file")
        if said := sorted(settings.keys() & SAID_ELSEWHERE):
            raise ValueError(f"{', '.join(said)}: other tables of this file say it")
        return settings


class RepositorySection(Part):
    """One bucket for backups, elsewhere than what it holds copies of.

    `authority` is needed for a store whose certificate the system does not know.
    """

    host: Host
    port: Port = 443
    bucket: Name
    region: Name
    uri_style: Literal["host", "path"] = "host"
    authority: FilePath | None = None


class BlobCopySection(Part):
    """The copy of the documents' bucket in another region, which is read with the backups' keys.

    Every `seconds` a worker copies there what is missing; 0: the store replicates by itself.
    """

    host: Host
    port: Port = 443
    bucket: Name
    region: Name
    authority: FilePath | None = None
    seconds: int = Field(default=0, ge=0, le=86_400)


class BackupsSection(Part):
    """Backups of every cluster by pgBackRest, into one bucket or two.

    Any second of the last `retention_days` can be restored to. A backup takes `processes`; a
    quarter of the servers' cores unless told.
    """

    retention_days: int = Field(default=14, ge=7, le=35)
    processes: int | None = Field(default=None, ge=1, le=999)
    blob_copy: BlobCopySection | None = None
    repository: tuple[RepositorySection, ...] = Field(min_length=1, max_length=2)


class HaproxySection(Part):
    """The one address of the API. Without a certificate it speaks plain HTTP, for tests alone.

    `certificate` is a file with certificate, chain and key, as HAProxy reads them.
    """

    listen: Host = "0.0.0.0"  # noqa: S104 - the public address of the API
    port: Port = 443
    certificate: FilePath | None = None


class KubernetesSection(Part):
    """What a cluster of Kubernetes has to be told besides.

    `ingress_namespace` is where the proxy before the routers runs, `monitoring_namespace` who may
    read figures, `operator_namespace` where CloudNativePG runs.
    """

    namespace: Name = "docshard"
    storage: Quantity = "100Gi"
    wal_storage: Quantity = "20Gi"
    storage_class: Name | None = None
    ingress_namespace: Name = "ingress-nginx"
    monitoring_namespace: Name = "monitoring"
    operator_namespace: Name = "cnpg-system"


class PrometheusSection(Part):
    """Where exporters and workers listen: the first of a host; the next one of that host has the
    next port. `networks` are those from which routers may be asked."""

    networks: tuple[Network, ...] = ()
    postgres_exporter_port: Port = 9187
    pgbouncer_exporter_port: Port = 9127
    worker_port: Port = 9108


class FleetSection(Part):
    """What the fleet is called."""

    name: Name

"""The fleet file: an installation on real servers, written by its operators in TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, ValidationError, model_validator

from deploy.fleet.lines import line_of
from deploy.fleet.model import (
    GLOBAL,
    Address,
    Backups,
    Bucket,
    Cluster,
    Etcd,
    Fleet,
    Node,
    Part,
    Pooler,
    Repository,
    Router,
    Storage,
    Worker,
)
from deploy.fleet.postgres import shared_settings
from deploy.fleet.sections import (
    BackupsSection,
    ClusterSection,
    EtcdSection,
    FleetSection,
    HaproxySection,
    KubernetesSection,
    Pgbouncer,
    Postgres,
    PrometheusSection,
    RouterSection,
    ServiceSection,
    WorkerSection,
)
from deploy.fleet.sizing import Connections
from deploy.fleet.storage_section import StorageSection


class FleetFileFault(Exception):
    """The file cannot be used; each line of the message says where, what, and what is expected."""


class FleetFile(Part):
    """The whole file."""

    fleet: FleetSection
    postgres: Postgres
    pgbouncer: Pgbouncer | None = None
    cluster: tuple[ClusterSection, ...] = Field(min_length=2)
    etcd: tuple[EtcdSection, ...] = ()
    router: tuple[RouterSection, ...] = Field(min_length=1)
    worker: tuple[WorkerSection, ...] = Field(min_length=1)
    service: ServiceSection = ServiceSection()
    haproxy: HaproxySection = HaproxySection()
    kubernetes: KubernetesSection = KubernetesSection()
    prometheus: PrometheusSection = PrometheusSection()
    storage: StorageSection
    backups: BackupsSection | None = None

    @model_validator(mode="after")
    def _names_and_addresses_are_taken_once(self) -> FleetFile:
        for what, given in (("name", self._names()), ("address", self._addresses())):
            if twice := _twice(given):
                raise ValueError(f"{what} given twice: {twice}")
        if [cluster.name for cluster in self.cluster].count(GLOBAL) != 1:
            raise ValueError(f"one [[cluster]] must be named {GLOBAL}; the others are shards")
        return self

    @model_validator(mode="after")
    def _patroni_has_etcd(self) -> FleetFile:
        nodes = (node for cluster in self.cluster for node in cluster.node)
        if not self.etcd and any(node.patroni_port for node in nodes):
            raise ValueError("patroni_port needs [[etcd]] members, where the nodes agree")
        return self

    @model_validator(mode="after")
    def _poolers_have_a_version(self) -> FleetFile:
        if self.pgbouncer is None and any(cluster.pooler for cluster in self.cluster):
            raise ValueError("[[cluster.pooler]] needs a [pgbouncer] table with its version")
        return self

    def _names(self) -> Iterator[str]:
        for cluster in self.cluster:
            yield cluster.name
            yield from (node.name for node in cluster.node)
            yield from (pooler.name for pooler in cluster.pooler)
        yield from (member.name for member in self.etcd)
        yield from (router.name for router in self.router)
        yield from (worker.name for worker in self.worker)

    def _addresses(self) -> Iterator[str]:
        for cluster in self.cluster:
            for node in cluster.node:
                yield f"{node.host}:{node.port}"
                if node.patroni_port:
                    yield f"{node.host}:{node.patroni_port}"
            yield from (f"{pooler.host}:{pooler.port}" for pooler in cluster.pooler)
        for member in self.etcd:
            yield f"{member.host}:{member.port}"
            yield f"{member.host}:{member.peer_port}"
        yield from (f"{router.host}:{router.port}" for router in self.router)

    @property
    def model(self) -> Fleet:
        """The fleet that the file describes."""
        clusters = {section.name: _cluster(section) for section in self.cluster}
        return Fleet(
            global_cluster=clusters.pop(GLOBAL),
            shards=tuple(clusters.values()),
            etcd=tuple(
                Etcd(
                    name=member.name,
                    address=Address(host=member.host, port=member.port),
                    peer=Address(host=member.host, port=member.peer_port),
                )
                for member in self.etcd
            ),
            storage=Storage(
                name="s3",
                address=Address(host=self.storage.host, port=self.storage.port),
                bucket=Bucket(name=self.storage.bucket, region=self.storage.region),
            ),
            backups=_backups(self.fleet.name, self.backups, self.postgres.cpus)
            if self.backups
            else None,
            routers=tuple(
                Router(
                    name=router.name,
                    address=Address(host=router.host, port=router.port),
                    workers=router.workers,
                )
                for router in self.router
            ),
            workers=tuple(Worker(name=worker.name, host=worker.host) for worker in self.worker),
        )

    def settings(self) -> dict[str, str]:
        """Parameters of every server."""
        return shared_settings(self.connections(1)) | self.postgres.settings

    def connections(self, poolers: int) -> Connections:
        """How a server's connections are divided among so many pooler processes.

        Raises:
            ValidationError: nothing is left for them.
        """
        reserved = self.postgres.reserved.model_dump()
        return Connections(
            max_connections=self.postgres.max_connections, poolers=poolers, **reserved
        )


def read_fleet_file(text: str) -> FleetFile:
    """The file's content.

    Raises:
        FleetFileFault: with the line of each fault.
    """
    try:
        return FleetFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise FleetFileFault(f"not TOML: {error}") from error
    except ValidationError as error:
        faults = (_told(text, fault) for fault in error.errors(include_url=False))
        raise FleetFileFault("\n".join(faults)) from error


def _told(text: str, fault: Mapping[str, Any]) -> str:
    path = fault["loc"]
    line = line_of(text, path)
    place = ".".join(str(part) for part in path)
    where = f"line {line}" if line else "the file"
    message = re.sub(r"^Value error, ", "", fault["msg"])
    return f"{where}: {place + ': ' if place else ''}{message}"


def _twice(given: Iterator[str]) -> str | None:
    seen: set[str] = set()
    for one in given:
        if one in seen:
            return one
        seen.add(one)
    return None


def _backups(fleet: str, section: BackupsSection, cpus: int) -> Backups:
    return Backups(
        path=f"/{fleet}",
        retention_days=section.retention_days,
        # A quarter of the cores is felt by nobody; a backup has the whole night.
        processes=section.processes or max(1, cpus // 4),
        restore_processes=cpus,
        repositories=tuple(
            Repository(
                address=Address(host=one.host, port=one.port),
                bucket=Bucket(name=one.bucket, region=one.region),
                uri_style=one.uri_style,
                authority=one.authority,
            )
            for one in section.repository
        ),
    )


def _cluster(section: ClusterSection) -> Cluster:
    return Cluster(
        name=section.name,
        nodes=tuple(
            Node(
                name=node.name,
                address=Address(host=node.host, port=node.port),
                born="replica" if position else "primary",
                patroni=Address(host=node.host, port=node.patroni_port)
                if node.patroni_port
                else None,
            )
            for position, node in enumerate(section.node)
        ),
        poolers=tuple(
            Pooler(
                name=pooler.name,
                address=Address(host=pooler.host, port=pooler.port),
                nodes=pooler.nodes,
                instances=pooler.instances,
            )
            for pooler in section.pooler
        ),
    )

"""Which PgBouncer processes a fleet has, and what each of them reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from pydantic import ValidationError

from deploy.fleet.file import FleetFile
from deploy.fleet.model import Cluster, Pooler
from deploy.fleet.pgbouncer import (
    PEERS_SINCE,
    PoolerFiles,
    PoolerRefused,
    check_instances,
    processes_before,
    render_pooler,
)
from deploy.fleet.versions import Version


@dataclass(frozen=True)
class PoolerProcess:
    """One process: its pooler, and its number among those that share the pooler's port."""

    cluster: Cluster
    pooler: Pooler
    instance: int
    files: PoolerFiles

    @property
    def path(self) -> PurePosixPath:
        """Where its configuration stands below the folder that everything is rendered into."""
        many = f"-{self.instance}" if self.pooler.instances > 1 else ""
        return PurePosixPath("pgbouncer", self.pooler.name, f"pgbouncer{many}.ini")

    @property
    def text(self) -> str:
        """Its configuration."""
        return render_pooler(self.cluster, self.pooler, self.files, self.instance)

    def for_version(self, version: Version) -> PoolerProcess:
        """The same process as another version would read it, alone on its port if it must be."""
        knows = version >= PEERS_SINCE
        pooler = self.pooler if knows else self.pooler.model_copy(update={"instances": 1})
        return PoolerProcess(
            self.cluster,
            pooler,
            self.instance if knows else 1,
            replace(self.files, version=version),
        )


def pooler_processes(file: FleetFile) -> list[PoolerProcess]:
    """Every process of every pooler, in the order of the file.

    Raises:
        PoolerRefused: the servers have too few connections, or the version cannot do it.
    """
    fleet = file.model
    return [
        process
        for cluster in fleet.clusters
        for pooler in cluster.poolers
        for process in _processes(file, cluster, pooler)
    ]


def _processes(file: FleetFile, cluster: Cluster, pooler: Pooler) -> Iterator[PoolerProcess]:
    common = file.pgbouncer
    if common is None:  # A fleet file without this table has no poolers either.
        return
    try:
        connections = file.connections(processes_before(cluster, pooler))
    except ValidationError as error:
        raise PoolerRefused(
            f"{pooler.name}: {error.errors()[0]['msg'].removeprefix('Value error, ')}; raise"
            " postgres.max_connections, or lower postgres.reserved or the number of instances"
        ) from error
    files = PoolerFiles(
        version=common.number,
        auth_file=PurePosixPath(common.auth_file),
        connections=connections,
        max_client_conn=common.max_client_conn,
        asks_servers=common.auth == "query",
        tls=common.tls,
    )
    check_instances(pooler, files)
    for instance in range(1, pooler.instances + 1):
        yield PoolerProcess(cluster, pooler, instance, files)

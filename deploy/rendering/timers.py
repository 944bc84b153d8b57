"""systemd's timers: each server's host asks four times an hour which backups are due.

Every node of a cluster has one and only the present primary's does anything, so that a failover
changes nothing in them. What is due, `docshard backup due` reads from the repositories: a full
backup each night, an incremental one each hour, and again what was missed or cut off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from deploy.fleet.file import FleetFile
from deploy.fleet.model import DATABASE, Cluster, Node
from deploy.fleet.pgbackrest import ROLE
from deploy.rendering import pgbackrest

_CALENDAR = "*-*-* *:00/15:00 UTC"


@dataclass(frozen=True)
class Task:
    """Something that a timer runs on one host, when `condition` ends with status 0.

    `secrets` is a file with variables for `user` alone.
    """

    name: str
    host: str
    what: str
    calendar: str
    user: str
    environment: Mapping[str, str]
    secrets: str
    condition: str
    command: str
    writes: tuple[str, ...]


def tasks(file: FleetFile) -> Iterator[Task]:
    """Backups of each node; none without backups."""
    if file.model.backups is None:
        return
    for cluster in file.model.clusters:
        for node in cluster.nodes:
            yield _task(file, cluster, node)


def _task(file: FleetFile, cluster: Cluster, node: Node) -> Task:
    psql = PurePosixPath(file.postgres.programs, "psql")
    docshard = PurePosixPath(file.service.programs, "docshard")
    return Task(
        name=f"{node.name}-backup",
        host=node.address.host,
        what=f"backups of {cluster.name} that are due",
        calendar=_CALENDAR,
        user="postgres",
        environment={
            "PGHOST": node.address.host,
            "PGPORT": str(node.address.port),
            "PGUSER": ROLE,
            "PGDATABASE": DATABASE,
        },
        secrets=str(pgbackrest.FOLDER / "backup.env"),
        # Skipped, and not failed, where the node is a replica.
        condition=f'/bin/sh -c \'[ "$$({psql} -XAtqc "SELECT pg_is_in_recovery()")" = f ]\'',
        command=f"{docshard} backup due --cluster {cluster.name}",
        writes=(str(pgbackrest.WORK),),
    )

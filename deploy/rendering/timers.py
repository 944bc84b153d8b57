"""systemd's timers: full backups by night, incremental ones by the hour, on each server's host.

Every node of a cluster has them and only the present primary's do anything, so that a failover
changes nothing in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from deploy.fleet.file import FleetFile
from deploy.fleet.model import DATABASE, Cluster, Node
from deploy.fleet.pgbackrest import ROLE, options
from deploy.rendering import pgbackrest

_CALENDARS: Mapping[str, str] = {"full": "*-*-* 01:15:00 UTC", "incr": "*-*-* *:00:00 UTC"}
_WORDS: Mapping[str, str] = {"full": "full backup", "incr": "incremental backup"}


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
    """A full and an incremental backup for each node and repository; none without backups.

    Each repository has its own: while one is away, backups go on into the other.
    """
    backups = file.model.backups
    if backups is None:
        return
    for cluster in file.model.clusters:
        for node in cluster.nodes:
            for kind in _CALENDARS:
                for repository in range(1, len(backups.repositories) + 1):
                    yield _task(file, cluster, node, Run(kind, repository))


@dataclass(frozen=True)
class Run:
    """One backup: `full` or `incr`, into the repository of this number."""

    kind: str
    repository: int


def _task(file: FleetFile, cluster: Cluster, node: Node, run: Run) -> Task:
    psql = PurePosixPath(file.postgres.programs, "psql")
    return Task(
        name=f"{node.name}-{run.kind}-{run.repository}",
        host=node.address.host,
        what=f"{_WORDS[run.kind]} of {cluster.name} into repository {run.repository}",
        calendar=_CALENDARS[run.kind],
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
        command=_command(cluster, node, run),
        writes=(str(pgbackrest.WORK),),
    )


def _command(cluster: Cluster, node: Node, run: Run) -> str:
    """One backup of a cluster at a time: an incremental one waits for less than an hour, and leaves
    it to the next."""
    lock = pgbackrest.WORK / f"{node.name}.lock"
    waiting = ["--wait=21600"] if run.kind == "full" else ["--wait=3000", "--conflict-exit-code=0"]
    words = [
        *("/usr/bin/flock", *waiting, str(lock), pgbackrest.PROGRAM),
        *options(pgbackrest.configuration_of(node.name), pgbackrest.SECRETS, cluster.name),
        f"--repo={run.repository}",
        f"--type={run.kind}",
        "backup",
    ]
    return " ".join(words)

"""pgBackRest: a configuration for each server, to stand on its host."""

from __future__ import annotations

from pathlib import PurePosixPath

from deploy.fleet.file import FleetFile
from deploy.fleet.pgbackrest import BackupHost, render_pgbackrest
from deploy.rendering.target import Files, header

TARGET = "pgbackrest"
PROGRAM = "/usr/bin/pgbackrest"
FOLDER = PurePosixPath("/etc/docshard/pgbackrest")
SECRETS = FOLDER / "secrets"
WORK = PurePosixPath("/var/lib/docshard/pgbackrest")


def configuration_of(node: str) -> PurePosixPath:
    """Where a node's file is to stand on its host."""
    return FOLDER / f"{node}.conf"


def host_of(file: FleetFile, node: str) -> BackupHost:
    """Where things are to stand on a node's host."""
    return BackupHost(PurePosixPath(file.postgres.data, node), SECRETS, WORK)


def render(file: FleetFile) -> Files:
    """pgbackrest/<host>/<node>.conf for each server of a fleet that is backed up."""
    fleet, head = file.model, header(TARGET, file.fleet.name)
    if fleet.backups is None:
        return {}
    return {
        PurePosixPath(TARGET, node.address.host, f"{node.name}.conf"): head
        + render_pgbackrest(fleet.backups, cluster, node, host_of(file, node.name))
        for cluster in fleet.clusters
        for node in cluster.nodes
    }

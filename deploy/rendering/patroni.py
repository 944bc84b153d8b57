"""Patroni: a configuration for each server. Passwords come from the unit's environment."""

from __future__ import annotations

from pathlib import PurePosixPath

from deploy.fleet.file import FleetFile
from deploy.fleet.patroni import PatroniHost, render_patroni
from deploy.fleet.pgbackrest import archive_settings
from deploy.rendering import pgbackrest
from deploy.rendering.target import Files, header

TARGET = "patroni"
FOLDER = PurePosixPath("/etc/docshard/patroni")


def configuration_of(node: str) -> PurePosixPath:
    """Where a node's file is to stand on its host."""
    return FOLDER / f"{node}.yml"


def render(file: FleetFile) -> Files:
    """patroni/<host>/<node>.yml for each server that Patroni runs."""
    fleet, head = file.model, header(TARGET, file.fleet.name)
    return {
        PurePosixPath(TARGET, node.address.host, f"{node.name}.yml"): head
        + render_patroni(fleet, cluster, node, _host(file, cluster.name, node.name))
        for cluster in fleet.clusters
        for node in cluster.nodes
        if node.patroni
    }


def _host(file: FleetFile, cluster: str, node: str) -> PatroniHost:
    postgres = file.postgres
    return PatroniHost(
        data=PurePosixPath(postgres.data, node),
        programs=PurePosixPath(postgres.programs),
        passfile=PurePosixPath("/run/docshard", f"{node}.pgpass"),
        postgres_major=postgres.version,
        networks=postgres.networks,
        secrets=None,
        authority=_authority(file),
        parameters=file.settings() | _tls(file),
        own_parameters=_archiving(file, cluster, node) if file.backups else {},
    )


def _authority(file: FleetFile) -> PurePosixPath | None:
    """Who signed servers' certificates, where they have some."""
    named = file.service.authority if file.postgres.tls else None
    return None if named is None else PurePosixPath(named)


def _tls(file: FleetFile) -> dict[str, str]:
    tls = file.postgres.tls
    if tls is None:
        return {}
    return {"ssl": "on", "ssl_cert_file": tls.certificate, "ssl_key_file": tls.key}


def _archiving(file: FleetFile, cluster: str, node: str) -> dict[str, str]:
    """A node's own: its configuration of pgBackRest names its folder."""
    host = pgbackrest.host_of(file, node)
    configuration = pgbackrest.configuration_of(node)
    return archive_settings(pgbackrest.PROGRAM, configuration, host, cluster)

"""pgBackRest of the local fleet: its files, and which PostgreSQL it can back up."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import Refused
from deploy.fleet.model import Backups, Cluster, Node
from deploy.fleet.pgbackrest import (
    BackupHost,
    RepositorySecrets,
    archive_settings,
    knows,
    render_pgbackrest,
    render_secrets,
)
from deploy.local.certificates import Subject, write_certificates
from deploy.local.engines import Engines, find_pgbackrest
from deploy.local.home import write_private
from deploy.local.processes import give
from deploy.local.secrets import Secrets
from deploy.local.servers import Site

FOLDER = "pgbackrest"
# Servers start side by side and have one file of secrets.
_WRITING = threading.Lock()


def require_pgbackrest(engines: Engines) -> Path:
    """The program, when it can back this fleet's servers up.

    Raises:
        Refused: it is not installed, or does not know servers of this version.
    """
    found = find_pgbackrest()
    if found is None:
        raise Refused(
            "pgBackRest is not installed.",
            "It takes the backups and archives the WAL.",
            "Install it (Debian: apt-get install pgbackrest), or leave --backups out.",
        )
    program, version = found
    if not knows(version, engines.postgres_major):
        raise Refused(
            f"pgBackRest {'.'.join(map(str, version))} does not know PostgreSQL "
            f"{engines.postgres_major}.",
            "It would refuse every backup.",
            "Make a fleet on a version that it knows, with DOCSHARD_HOME naming a new home: "
            "DOCSHARD_POSTGRES=/usr/lib/postgresql/15/bin docshard up --backups",
        )
    return program


@dataclass(frozen=True)
class LocalBackups:
    """What is written for the fleet's servers, all below one folder that is theirs."""

    site: Site
    backups: Backups

    @property
    def folder(self) -> Path:
        """Where configurations stand."""
        return self.site.data(FOLDER)

    def host(self, node: Node) -> BackupHost:
        """Where things are for this node."""
        return BackupHost(
            data=self.site.data(node.name),
            secrets=self.folder / "secrets",
            work=self.folder / "work",
            authority=certificate_of(self.site),
        )

    def configuration(self, node: Node) -> Path:
        """A node's file."""
        return self.folder / f"{node.name}.conf"

    def write(self, cluster: Cluster, node: Node) -> None:
        """Write a node's files."""
        host = self.host(node)
        user = self.site.engines.user
        work = Path(host.work)
        for folder in (self.folder, Path(host.secrets), work, work / "log"):
            folder.mkdir(mode=0o700, exist_ok=True)
            give(folder, user)
        known = Path(host.secrets) / "repositories.conf"
        texts = {
            known: render_secrets(repository_secrets(self.site.secrets)),
            self.configuration(node): render_pgbackrest(self.backups, cluster, node, host),
        }
        with _WRITING:
            for path, text in texts.items():
                write_private(path, text)
                give(path, user)

    def parameters(self, cluster: Cluster, node: Node) -> dict[str, str]:
        """What the server is told, so that its WAL is archived."""
        program = require_pgbackrest(self.site.engines)
        configuration = self.configuration(node)
        return archive_settings(str(program), configuration, self.host(node), cluster.name)


def archiving(site: Site, cluster: Cluster, node: Node) -> dict[str, str]:
    """Write what archiving a node's WAL needs; answers its parameters, none without backups."""
    if site.state.fleet.backups is None:
        return {}
    backups = LocalBackups(site, site.state.fleet.backups)
    backups.write(cluster, node)
    return backups.parameters(cluster, node)


def write_all(site: Site) -> None:
    """Write the files of every node of a fleet that is backed up."""
    if site.state.fleet.backups is None:
        return
    for cluster in site.state.fleet.clusters:
        for node in cluster.nodes:
            LocalBackups(site, site.state.fleet.backups).write(cluster, node)


def repository_secrets(secrets: Secrets) -> list[RepositorySecrets]:
    """What opens the repositories: one identity, a pass phrase for each."""
    return [
        RepositorySecrets(secrets.backup_access_key, secrets.backup_secret_key, passphrase)
        for passphrase in secrets.backup_passphrases
    ]


def certificate_of(site: Site) -> Path:
    """The certificate of the object store, signed by itself."""
    return site.data("s3") / "tls" / "certificate.pem"


def ensure_certificate(site: Site, host: str) -> Path:
    """Make the object store's certificate unless it is there; answers its folder."""
    folder = certificate_of(site).parent
    with _WRITING:
        _ensure_certificate(site, folder, host)
    return folder


def _ensure_certificate(site: Site, folder: Path, host: str) -> None:
    if not certificate_of(site).exists():
        # pgBackRest reads it, too: it is what the servers trust.
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        give(folder.parent, site.engines.user)
        folder.mkdir(mode=0o700, exist_ok=True)
        write_certificates(folder, Subject(host, days=3650))
        for path in (folder, *folder.iterdir()):
            give(path, site.engines.user)

"""PostgreSQL servers of the local fleet: made from one template, replicas by base backup."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import ClassVar

from deploy.errors import OperatorError, Refused
from deploy.fleet.model import Cluster, Node
from deploy.fleet.planning import LOOPBACK
from deploy.fleet.postgres import (
    REPLICATION_ROLE,
    initdb_options,
    render_access,
    render_settings,
    server_settings,
    slot_of,
)
from deploy.local import processes
from deploy.local.backups import archiving
from deploy.local.home import write_private
from deploy.local.processes import give
from deploy.local.servers import Server, Site

FRAGMENT = "docshard.conf"
# The fixed locale of every machine, so that sort order is the same everywhere.
ENVIRONMENT = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "TZ": "UTC"}


class PostgresServer(Server):
    """One node of a cluster."""

    kind: ClassVar[str] = "postgres"
    start_seconds = 60.0
    # SIGINT is the fast shutdown: sessions end, a checkpoint is written.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    stop_seconds: ClassVar[float] = 15.0

    def __init__(self, site: Site, cluster: Cluster, node: Node) -> None:
        super().__init__(site, node.name)
        self.cluster = cluster
        self.node = node
        self.folder = site.data(node.name)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.node.address.port

    def prepare(self) -> None:
        """Make its data when it has none, and write its configuration."""
        if not self.folder.exists():
            self._make_data()
        check_version(self.folder, self.site.engines.postgres_major)
        self._remove_stale_lock()
        settings = server_settings(
            self.cluster, self.node, self.site.secrets.roles[REPLICATION_ROLE]
        )
        settings |= archiving(self.site, self.cluster, self.node)
        self._write(FRAGMENT, render_settings(settings))
        self._write("pg_hba.conf", render_access([f"{LOOPBACK}/32"]))

    def fingerprint(self) -> str:
        """Archiving begins and ends with a restart."""
        return "archiving" if self.site.state.fleet.backups else ""

    def command(self) -> processes.Command:
        """The postmaster itself, without pg_ctl between."""
        engines = self.site.engines
        return processes.Command(
            arguments=[engines.postgres_program("postgres"), "-D", str(self.folder)],
            folder=Path("/"),
            log=self.log,
            user=engines.user,
            environment=ENVIRONMENT,
        )

    def ready(self) -> bool:
        """The postmaster writes its state into the last line of its lock file."""
        lines = self._lock_lines()
        return len(lines) > 7 and lines[7].strip() == "ready"

    def role(self) -> str:
        """primary or replica, as it is at present: promotion removes the signal file."""
        return "replica" if self.follows() else "primary"

    def follows(self) -> bool:
        """Whether its files say that it follows another node."""
        return (self.folder / "standby.signal").exists()

    def leads(self) -> bool:
        """Whether it is a primary that takes writes now."""
        return self.ready() and not self.follows()

    def agree(self) -> None:
        """Bring what its cluster has agreed on to this code; alone it has nothing to agree on."""

    @property
    def joined(self) -> bool:
        """Whether its data belongs to a cluster that chooses its primary by itself."""
        return False

    def _make_data(self) -> None:
        new = self.folder.with_name(f"{self.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        if self.node.born == "primary":
            template = ensure_template(self.site)
            self._tool(["/bin/cp", "-a", str(template), str(new)])
        else:
            self._base_backup(new)
            (new / "standby.signal").touch()
            self._give(new / "standby.signal")
        new.rename(self.folder)

    def _base_backup(self, target: Path) -> None:
        primary = self.cluster.primary.address
        arguments = [
            self.site.engines.postgres_program("pg_basebackup"),
            f"--pgdata={target}",
            f"--host={primary.host}",
            f"--port={primary.port}",
            f"--username={REPLICATION_ROLE}",
            f"--slot={slot_of(self.node)}",
            "--checkpoint=fast",
            "--wal-method=stream",
            "--no-sync",
            "--no-password",
        ]
        password = {"PGPASSWORD": self.site.secrets.roles[REPLICATION_ROLE]}
        try:
            self._tool([*arguments, "--create-slot"], password)
        except OperatorError as error:
            # An attempt that broke off has left its slot, which serves as well.
            if "already exists" not in error.means:
                raise
            shutil.rmtree(target, ignore_errors=True)
            self._tool(arguments, password)

    def _remove_stale_lock(self) -> None:
        """A killed postmaster leaves its lock file; another program may have its pid by now."""
        lines = self._lock_lines()
        if not lines:
            return
        holder = processes.alive(abs(int(lines[0])))
        if holder is None or holder.name() not in ("postgres", "postmaster"):
            (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def _lock_lines(self) -> list[str]:
        try:
            return (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _tool(self, arguments: list[str], secret: dict[str, str] | None = None) -> None:
        processes.run_tool(arguments, self.site.engines.user, ENVIRONMENT | (secret or {}))

    def _write(self, name: str, text: str) -> None:
        write_private(self.folder / name, text)
        self._give(self.folder / name)

    def _give(self, path: Path) -> None:
        give(path, self.site.engines.user)


def check_version(folder: Path, major: int) -> None:
    """Refuse a node's data that another major version has made; missing data is fine.

    Raises:
        Refused: the server found cannot read it.
    """
    if folder.exists() and _made_by(folder) != major:
        raise Refused(
            f"{folder.name} is data of PostgreSQL {_made_by(folder)}, the server found is {major}.",
            "A server reads only data of its own major version.",
            "Set DOCSHARD_POSTGRES to that version's programs, or `docshard clean-data`.",
        )


def ensure_template(site: Site) -> Path:
    """An empty cluster that the data of every primary is copied from: initdb runs once."""
    template = site.data("template")
    if template.exists() and _made_by(template) == site.engines.postgres_major:
        return template
    new = template.with_name("template.new")
    for folder in (template, new):
        shutil.rmtree(folder, ignore_errors=True)
    _initdb(site, new)
    with (new / "postgresql.conf").open("a") as handle:
        handle.write(f"include '{FRAGMENT}'\n")
    new.rename(template)
    return template


def renew_template(site: Site) -> Path:
    """A template made anew: what is copied from one template shares PostgreSQL's system identifier,
    by which `shard add` tells whether a cluster is registered already."""
    shutil.rmtree(site.data("template"), ignore_errors=True)
    return ensure_template(site)


def _made_by(folder: Path) -> int:
    return int((folder / "PG_VERSION").read_text())


def _initdb(site: Site, target: Path) -> None:
    options = initdb_options(site.engines.postgres_major)
    with tempfile.NamedTemporaryFile("w") as password:
        password.write(site.secrets.superuser)
        password.flush()
        os.fchmod(password.fileno(), 0o600)
        give(Path(password.name), site.engines.user)
        processes.run_tool(
            [
                site.engines.postgres_program("initdb"),
                f"--pgdata={target}",
                "--username=postgres",
                f"--pwfile={password.name}",
                "--no-sync",
                *(f"--{name}" + (f"={value}" if value else "") for name, value in options.items()),
            ],
            site.engines.user,
            ENVIRONMENT,
        )

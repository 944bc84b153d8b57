"""Which servers of this host are backed up, read from what `docshard render pgbackrest` wrote.

The local fleet writes the same files, so that nothing here knows which of both it works on.
"""

from __future__ import annotations

import configparser
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import NotFound, OperatorError
from deploy.fleet.pgbackrest import cluster_of
from services.backup_settings import BackupSettings

_LISTENS_AT = 5  # the line of a postmaster's lock file


@dataclass(frozen=True)
class Backed:
    """A server with its configuration; its cluster is a stanza."""

    cluster: str
    node: str
    configuration: Path
    data: Path
    repositories: int

    @property
    def leads(self) -> bool:
        """Whether its files say that it runs and follows nobody."""
        running = (self.data / "postmaster.pid").exists()
        return running and not (self.data / "standby.signal").exists()

    @property
    def host(self) -> str:
        """Where it listens, as its lock file says."""
        lines = (self.data / "postmaster.pid").read_text().splitlines()
        return lines[_LISTENS_AT] if len(lines) > _LISTENS_AT else "127.0.0.1"


@dataclass(frozen=True)
class Installation:
    """pgBackRest on this host: its program, its files, and whose they are."""

    program: Path
    folder: Path
    user: str | None
    group: int | None
    password: str | None
    servers: tuple[Backed, ...]

    @property
    def secrets(self) -> Path:
        """The folder that opens the repositories."""
        return self.folder / "secrets"

    def clusters(self) -> list[str]:
        """The clusters that are backed up, the global one first."""
        return sorted(
            {one.cluster for one in self.servers}, key=lambda name: (name != "global", name)
        )

    def led_here(self) -> list[str]:
        """The clusters whose primary runs on this host."""
        return [
            name
            for name in self.clusters()
            if any(one.leads for one in self.servers if one.cluster == name)
        ]

    def any_of(self, cluster: str) -> Backed:
        """A server of this cluster: each of them reaches the repositories.

        Raises:
            NotFound.
        """
        for one in self.servers:
            if one.cluster == cluster:
                return one
        raise NotFound(
            f"{cluster} is not backed up from this host.",
            "",
            f"{self.folder} has configurations of: {', '.join(self.clusters())}",
        )

    def primary(self, cluster: str) -> Backed:
        """The server whose files a backup copies.

        Raises:
            NotFound. OperatorError: the primary is down, or on another host.
        """
        first = self.any_of(cluster)
        for one in self.servers:
            if one.cluster == cluster and one.leads:
                return one
        raise OperatorError(
            f"No primary of {first.cluster} runs on this host.",
            "A backup is taken where the primary's files are.",
            "Start it, or run this command on its host.",
        )


def find_installation(settings: BackupSettings) -> Installation:
    """What this host has.

    Raises:
        NotFound: backups are not configured. OperatorError: pgBackRest is not installed.
    """
    folder = settings.folder
    found = tuple(_read(path) for path in sorted(folder.glob("*.conf")))
    if not found:
        raise NotFound(
            f"{folder} holds no configuration of pgBackRest: nothing is backed up from here.",
            "",
            "`docshard up --backups` backs a local fleet up; on real servers"
            " `docshard render pgbackrest` writes the files.",
        )
    program = shutil.which("pgbackrest", path=os.environ.get("PATH", "") + ":/usr/bin")
    if program is None:
        raise OperatorError(
            "pgBackRest is not installed.", "", "Debian: apt-get install pgbackrest"
        )
    user, password = _owner(folder / "secrets"), settings.db_password
    return Installation(
        program=Path(program),
        folder=folder,
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        password=password.get_secret_value() if password else os.environ.get("PGPASSWORD"),
        servers=found,
    )


def _read(path: Path) -> Backed:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(path.read_text())
    (stanza,) = (name for name in parser.sections() if name.partition(":")[0] != "global")
    paths = [
        name for name in parser["global"] if name.startswith("repo") and name.endswith("-path")
    ]
    return Backed(
        cluster=cluster_of(stanza),
        node=path.stem,
        configuration=path,
        data=Path(parser[stanza]["pg1-path"]),
        repositories=len(paths),
    )


def _owner(secrets: Path) -> str | None:
    """Whom root runs pgBackRest as; anybody else runs it as himself."""
    return pwd.getpwuid(secrets.stat().st_uid).pw_name if os.geteuid() == 0 else None

"""PgBouncer before one cluster of the local fleet."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import ClassVar

from deploy.errors import OperatorError
from deploy.fleet.model import Cluster, Pooler
from deploy.fleet.pgbouncer import PoolerFiles, render_pooler, render_users
from deploy.local import processes
from deploy.local.home import write_private
from deploy.local.processes import give
from deploy.local.servers import Server, Site


class PoolerServer(Server):
    """One PgBouncer process."""

    kind: ClassVar[str] = "pgbouncer"
    start_seconds = 10.0
    # It keeps nothing, and since 1.23 the polite signal waits until every client has left.
    stop_signal: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, site: Site, cluster: Cluster, pooler: Pooler) -> None:
        super().__init__(site, pooler.name)
        self.cluster = cluster
        self.pooler = pooler
        self.folder = site.data(pooler.name)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.pooler.address.port

    def prepare(self) -> None:
        """Write its configuration and the passwords it passes on."""
        version = self.site.engines.pooler_version
        if version is None:
            raise OperatorError(
                "PgBouncer is no longer installed.",
                f"{self.name} cannot start.",
                "Install it, or run `docshard up` to go on without poolers.",
            )
        users = self.folder / "userlist.txt"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        write_private(users, render_users(self.site.secrets.roles))
        write_private(
            self._configuration,
            render_pooler(self.cluster, self.pooler, PoolerFiles(version, users)),
        )
        for path in (self.folder, users, self._configuration):
            give(path, self.site.engines.user)

    def command(self) -> processes.Command:
        """The pooler in the foreground: in the background old versions hide failures."""
        return processes.Command(
            arguments=[str(self.site.engines.pooler), str(self._configuration)],
            folder=Path("/"),
            log=self.log,
            user=self.site.engines.user,
            environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )

    def ready(self) -> bool:
        """Whether it listens."""
        return self.listens()

    @property
    def _configuration(self) -> Path:
        return self.folder / "pgbouncer.ini"

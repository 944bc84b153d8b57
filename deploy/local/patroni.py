"""PostgreSQL servers under Patroni: it starts them, chooses the primary and makes replicas anew."""

from __future__ import annotations

import contextlib
import json
import signal
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

from deploy.errors import OperatorError
from deploy.fleet.model import Cluster, Node
from deploy.fleet.patroni import (
    REST_USER,
    PatroniHost,
    PatroniSecrets,
    agreed_configuration,
    render_patroni,
)
from deploy.fleet.planning import LOOPBACK
from deploy.fleet.postgres import REPLICATION_ROLE, shared_settings
from deploy.local import processes, rest
from deploy.local.backups import archiving
from deploy.local.home import write_private
from deploy.local.postgres import ENVIRONMENT, FRAGMENT, PostgresServer, check_version
from deploy.local.processes import give
from deploy.local.runtime import find_runtime
from deploy.local.servers import Site

_ORDER_SECONDS = 40.0  # Patroni answers a switchover when it is done, after at most 20


class PatroniServer(PostgresServer):
    """One node of a cluster and the Patroni above it; the recorded process is Patroni's."""

    start_seconds = 90.0
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_seconds: ClassVar[float] = 20.0

    def __init__(self, site: Site, cluster: Cluster, node: Node) -> None:
        super().__init__(site, cluster, node)
        if node.patroni is None:
            raise ValueError(f"{node.name} runs without Patroni")
        self.api = node.patroni
        self._own = site.data(f"{node.name}-patroni")

    def fingerprint(self) -> str:
        """Other than that of a server without Patroni: `up --ha` starts such a one anew."""
        return f"patroni {super().fingerprint()}".rstrip()

    def prepare(self) -> None:
        """Write its configuration; a cluster's first data is made here, all other by Patroni."""
        if self._is_first():
            self._make_data()
        check_version(self.folder, self.site.engines.postgres_major)
        if self.folder.exists():
            self._remove_stale_lock()
            # The data includes it; under Patroni it must say nothing of its own.
            self._write(FRAGMENT, "# Patroni holds the settings.\n")
        self._own.mkdir(mode=0o700, exist_ok=True)
        give(self._own, self.site.engines.user)
        write_private(self._configuration, self._rendered())
        give(self._configuration, self.site.engines.user)

    def command(self) -> processes.Command:
        """Patroni, which starts the server. Of the caller's environment nothing gets through:
        an exported PGPASSWORD alone would break pg_rewind.
        """
        runtime = find_runtime(self.site.state.data)
        return processes.Command(
            arguments=[str(runtime.python), "-P", "-m", "patroni", str(self._configuration)],
            folder=Path("/"),
            log=self.log,
            user=self.site.engines.user,
            environment={**ENVIRONMENT, **runtime.environment},
        )

    def ready(self) -> bool:
        """Whether the server runs and its very own Patroni knows it."""
        # The file first: Patroni tries a connection for each question.
        process = self.process()
        return (
            super().ready()
            and process is not None
            and processes.listens(process, self.api.port)
            and self._told("/patroni").get("state") == "running"
        )

    def role(self) -> str:
        """primary or replica, as the server told Patroni just now; its kind when it is down."""
        told = self._told("/patroni")
        return str(told["role"]) if told.get("state") == "running" else self.kind

    def leads(self) -> bool:
        """Whether it holds the leadership and has left recovery."""
        if not super().ready():
            return False
        return self._told("/primary").get("role") == "primary"

    @property
    def joined(self) -> bool:
        """Whether Patroni has run this data: it keeps what the cluster agreed on beside it."""
        return (self.folder / "patroni.dynamic.json").exists()

    def agree(self) -> None:
        """Bring what etcd holds for this cluster to this code.

        Raises:
            OperatorError: Patroni does not take it.
        """
        wanted = agreed_configuration(shared_settings())
        if self._told("/config") == wanted:
            return
        try:
            answer = self.ask(rest.Order("PUT", "/config", wanted))
        except rest.Unreachable as error:
            raise OperatorError(f"The Patroni of {self.name} went away: {error}.") from error
        if answer.status != HTTPStatus.OK:
            raise OperatorError(
                f"Patroni refused the settings of {self.cluster.name}.", answer.text
            )

    def ask(self, order: rest.Order) -> rest.Answer:
        """Ask this node's Patroni to change something.

        Raises:
            Unreachable: whether it did is unknown.
        """
        who = rest.Basic(REST_USER, self.site.secrets.patroni)
        return rest.send(self.api, order, who, _ORDER_SECONDS)

    def members(self) -> list[dict[str, Any]]:
        """The cluster's nodes as this Patroni sees them: name, role, state, timeline, lag."""
        return list(self._told("/cluster").get("members", []))

    def _told(self, path: str) -> dict[str, Any]:
        """What Patroni answers; nothing when it does not, or denies what the path asks."""
        with contextlib.suppress(rest.Unreachable, json.JSONDecodeError):
            answer = rest.get(self.api, path)
            if answer.status == HTTPStatus.OK:
                return dict(json.loads(answer.text))
        return {}

    def _is_first(self) -> bool:
        """Whether nobody of the cluster has data yet, and this node is to have it first.

        A primary without data beside a replica that has some is a lost disk: the replica leads now.
        """
        nobody = not any(self.site.data(node.name).exists() for node in self.cluster.nodes)
        return nobody and self.node.born == "primary"

    def _rendered(self) -> str:
        site = self.site
        host = PatroniHost(
            data=self.folder,
            programs=site.engines.postgres,
            passfile=self._own / "pgpass",
            postgres_major=site.engines.postgres_major,
            networks=[f"{LOOPBACK}/32"],
            secrets=PatroniSecrets(
                superuser=site.secrets.superuser,
                replication=site.secrets.roles[REPLICATION_ROLE],
                rest=site.secrets.patroni,
            ),
            own_parameters=archiving(site, self.cluster, self.node),
        )
        return render_patroni(site.state.fleet, self.cluster, self.node, host)

    @property
    def _configuration(self) -> Path:
        return self._own / "patroni.yml"

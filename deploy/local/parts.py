"""Every part of a home's fleet as a server that can be started and stopped."""

from __future__ import annotations

from deploy.errors import NotFound
from deploy.local.application import RouterServer, WorkerServer
from deploy.local.home import Home, State
from deploy.local.pooler import PoolerServer
from deploy.local.postgres import PostgresServer
from deploy.local.secrets import ensure_secrets
from deploy.local.servers import Server, Site
from deploy.local.storage import StorageServer


class Parts:
    """The servers of one fleet, by kind and by name."""

    def __init__(self, site: Site) -> None:
        fleet = site.state.fleet
        self.site = site
        self.clusters = {
            cluster.name: [PostgresServer(site, cluster, node) for node in cluster.nodes]
            for cluster in fleet.clusters
        }
        self.poolers = [
            PoolerServer(site, cluster, cluster.pooler)
            for cluster in fleet.clusters
            if cluster.pooler
        ]
        self.storage = StorageServer(site, fleet.storage)
        self.router = RouterServer(site, fleet.router.name)
        self.worker = WorkerServer(site, fleet.worker.name)

    @property
    def engines(self) -> list[Server]:
        """All that is not our own code."""
        nodes = [node for cluster in self.clusters.values() for node in cluster]
        return [*nodes, *self.poolers, self.storage]

    @property
    def applications(self) -> list[Server]:
        """Our own code: started last, stopped first."""
        return [self.router, self.worker]

    @property
    def all(self) -> list[Server]:
        """Everything, in the order of the fleet's own list of names."""
        by_name = {part.name: part for part in (*self.engines, *self.applications)}
        return [by_name[name] for name in self.site.state.fleet.names()]

    def named(self, name: str) -> Server:
        """The part of that name.

        Raises:
            NotFound: there is none; the names are told.
        """
        for part in self.all:
            if part.name == name:
                return part
        raise NotFound(
            f"There is no node {name!r} in this fleet.",
            "",
            "Its nodes: " + ", ".join(part.name for part in self.all),
        )

    def primary(self, cluster: str) -> PostgresServer:
        """The node that is the primary at present."""
        for node in self.clusters[cluster]:
            if node.role() == "primary":
                return node
        return self.clusters[cluster][0]


def parts_of(home: Home, state: State) -> Parts:
    """The parts of the fleet that this state describes."""
    return Parts(Site(home, state, ensure_secrets(home)))


def existing_parts(home: Home) -> Parts:
    """The parts of the fleet in this home.

    Raises:
        NotFound: there is no fleet.
    """
    return parts_of(home, home.require())

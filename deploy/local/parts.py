"""Every part of a home's fleet as a server that can be started and stopped."""

from __future__ import annotations

from deploy.errors import NotFound, OperatorError
from deploy.local.application import RouterServer, WorkerServer
from deploy.local.etcd import EtcdServer
from deploy.local.home import Home, State
from deploy.local.patroni import PatroniServer
from deploy.local.pooler import PoolerServer
from deploy.local.postgres import PostgresServer
from deploy.local.secrets import ensure_secrets
from deploy.local.servers import Server, Site
from deploy.local.storage import StorageServer
from deploy.local.waiting import awaited

_PRIMARY_SECONDS = 60.0  # a crashed cluster waits for ttl, then recovers


class Parts:
    """The servers of one fleet, by kind and by name."""

    def __init__(self, site: Site) -> None:
        fleet = site.state.fleet
        self.site = site
        self.clusters = {
            cluster.name: [
                (PatroniServer if node.patroni else PostgresServer)(site, cluster, node)
                for node in cluster.nodes
            ]
            for cluster in fleet.clusters
        }
        self.etcd = [EtcdServer(site, member) for member in fleet.etcd]
        self.poolers = [
            PoolerServer(site, cluster, pooler)
            for cluster in fleet.clusters
            for pooler in cluster.poolers
        ]
        self.storages = [StorageServer(site, storage) for storage in fleet.storages]
        self.router = RouterServer(site, fleet.router.name)
        self.worker = WorkerServer(site, fleet.workers[0].name)

    @property
    def engines(self) -> list[Server]:
        """What holds data and leads to it."""
        nodes = [node for cluster in self.clusters.values() for node in cluster]
        return [*nodes, *self.poolers, *self.storages]

    @property
    def applications(self) -> list[Server]:
        """Our own code: started last, stopped first."""
        return [self.router, self.worker]

    @property
    def all(self) -> list[Server]:
        """Everything, in the order of the fleet's own list of names."""
        everything = (*self.engines, *self.etcd, *self.applications)
        by_name = {part.name: part for part in everything}
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
        """The node that is the primary at present, or was when it last ran."""
        nodes = self.clusters[cluster]
        for node in nodes:
            if node.role() == "primary":
                return node
        made = (node for node in nodes if node.folder.exists() and not node.follows())
        return next(made, nodes[0])

    def starters(self, cluster: str) -> list[PostgresServer]:
        """The nodes to start first; the others need a primary, to be made from or to follow.

        Under Patroni it is not for us to say who leads: all start that can. But a cluster that
        Patroni does not know yet it would hand to whoever comes first, so there the primary does.
        """
        made = [node for node in self.clusters[cluster] if node.folder.exists()]
        if made and all(node.joined for node in made):
            return made
        return [self.primary(cluster)]

    def await_primary(self, cluster: str) -> PostgresServer:
        """The node that leads the cluster, waited for.

        Raises:
            OperatorError: none does in time.
        """
        nodes = self.clusters[cluster]
        leader = awaited(
            lambda: next((node for node in nodes if node.leads()), None), _PRIMARY_SECONDS
        )
        if leader is not None:
            return leader
        logs = ", ".join(str(node.log) for node in nodes)
        raise OperatorError(
            f"{cluster} has no primary after {_PRIMARY_SECONDS:.0f} s.",
            "Nobody may lead who could lack acknowledged writes: the node that has them is away.",
            f"Start every node of it; their logs tell more: {logs}",
        )


def parts_of(home: Home, state: State) -> Parts:
    """The parts of the fleet that this state describes."""
    return Parts(Site(home, state, ensure_secrets(home)))


def existing_parts(home: Home) -> Parts:
    """The parts of the fleet in this home.

    Raises:
        NotFound: there is no fleet.
    """
    return parts_of(home, home.require())

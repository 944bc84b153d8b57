"""The fleet: which clusters, nodes, poolers, buckets and services exist, and where they listen.

The local fleet is started from this model and deployment templates are rendered from it, so it says
nothing about folders, processes or users of one machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

DATABASE = "docshard"
GLOBAL = "global"


class Part(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Address(Part):
    """Where something listens."""

    host: str
    port: int

    @property
    def text(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"


class Node(Part):
    """One PostgreSQL server. `born` is its role when made: a failover changes roles, not names.

    `patroni` is the REST API of the Patroni that runs it, None when nobody stands above the server.
    """

    name: str
    address: Address
    born: Literal["primary", "replica"]
    patroni: Address | None = None


class Pooler(Part):
    """A PgBouncer before nodes of one cluster, with one database for each node.

    It stands before those named in `nodes`, before all when none is named. `instances` processes
    share its port, so that more than one core works.
    """

    name: str
    address: Address
    nodes: tuple[str, ...] = ()
    instances: int = 1

    def serves(self, node: Node) -> bool:
        """Whether this node's database can be reached through it."""
        return not self.nodes or node.name in self.nodes


class Cluster(Part):
    """One PostgreSQL cluster: a primary, its streaming replicas, and the poolers before them."""

    name: str
    nodes: tuple[Node, ...]
    poolers: tuple[Pooler, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _one_pooler(cls, fields: Any) -> Any:
        """Homes written before there could be several poolers name one."""
        return _several(fields, "pooler", "poolers")

    @property
    def primary(self) -> Node:
        """The node that was made first and starts as the primary."""
        return self.nodes[0]

    @property
    def replicas(self) -> tuple[Node, ...]:
        """The nodes that start as streaming replicas."""
        return self.nodes[1:]

    def poolers_of(self, node: Node) -> tuple[Pooler, ...]:
        """The poolers before this node, those on its own host first."""
        serving = (pooler for pooler in self.poolers if pooler.serves(node))
        return tuple(sorted(serving, key=lambda at: at.address.host != node.address.host))

    def pooled_database(self, node: Node) -> str:
        """The name under which the pooler offers this node's database."""
        position = self.nodes.index(node)
        suffix = ("", "_replica")[min(position, 1)] + (f"_{position}" if position > 1 else "")
        return DATABASE + suffix


class Etcd(Part):
    """One member of the etcd in which the Patronis of all clusters agree on their primaries."""

    name: str
    address: Address
    peer: Address


class Bucket(Part):
    """Where blobs live."""

    name: str
    region: str


class Storage(Part):
    """An S3 endpoint with its buckets; `inner_ports` are those a self-run server needs besides."""

    name: str
    address: Address
    bucket: Bucket
    inner_ports: dict[str, int] = {}


class Repository(Part):
    """A bucket that holds backups and WAL, enciphered; pgBackRest speaks TLS with it.

    `authority` is a file with the certificate that signed the server's, None: the system's know it.
    """

    address: Address
    bucket: Bucket
    uri_style: Literal["host", "path"] = "host"
    authority: str | None = None


class Backups(Part):
    """How every cluster is backed up: into each repository, the first is asked first.

    Full backups, and WAL since the oldest of them, are kept so that each of the last
    `retention_days` can be restored to. `path` is where they lie in each bucket. A backup takes
    `processes` beside a primary that serves, a restore `restore_processes` where nobody does yet.
    """

    path: str
    repositories: tuple[Repository, ...]
    retention_days: int
    processes: int = 2
    restore_processes: int = 2


class Router(Part):
    """The HTTP edge."""

    name: str
    address: Address
    workers: int


class Worker(Part):
    """A process that runs timed jobs and moves.

    `host` is None on a machine of its own fleet, where `figures` is where it tells its figures: on
    hosts the fleet file's [prometheus] says that, and homes written before it did not.
    """

    name: str
    host: str | None = None
    figures: Address | None = None


class Fleet(Part):
    """Everything that makes one installation.

    Without `etcd` no cluster fails over by itself, without `backups` none is backed up. `far` is a
    store of a second region, when it is run with the rest.
    """

    global_cluster: Cluster
    etcd: tuple[Etcd, ...] = ()
    shards: tuple[Cluster, ...]
    storage: Storage
    far: Storage | None = None
    backups: Backups | None = None
    routers: tuple[Router, ...]
    workers: tuple[Worker, ...]

    @model_validator(mode="before")
    @classmethod
    def _one_of_each(cls, fields: Any) -> Any:
        """Homes written before there could be several routers and workers name one of each."""
        return _several(_several(fields, "router", "routers"), "worker", "workers")

    @property
    def router(self) -> Router:
        """The router that is named first: the only one of a local fleet."""
        return self.routers[0]

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """All PostgreSQL clusters, the global one first."""
        return (self.global_cluster, *self.shards)

    @property
    def storages(self) -> tuple[Storage, ...]:
        """Every store that is run, the one with the documents first."""
        return (self.storage,) if self.far is None else (self.storage, self.far)

    @property
    def api(self) -> str:
        """The base URL of the API."""
        return f"http://{self.router.address.host}:{self.router.address.port}"

    def names(self) -> Iterator[str]:
        """The name of every part that can be started and stopped, in the order to show them."""
        for cluster in self.clusters:
            yield from (node.name for node in cluster.nodes)
            yield from (pooler.name for pooler in cluster.poolers)
        yield from (member.name for member in self.etcd)
        yield from (storage.name for storage in self.storages)
        yield from (router.name for router in self.routers)
        yield from (worker.name for worker in self.workers)


def _several(fields: Any, one: str, several: str) -> Any:
    """The same fields, with what used to stand as `one` among `several`."""
    if not isinstance(fields, Mapping) or one not in fields:
        return fields
    kept = {name: value for name, value in fields.items() if name != one}
    return {several: () if fields[one] is None else (fields[one],), **kept}

"""The fleet: which clusters, nodes, poolers, buckets and services exist, and where they listen.

The local fleet is started from this model and deployment templates are rendered from it, so it says
nothing about folders, processes or users of one machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

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
    """A PgBouncer in front of one cluster, with one database for each node."""

    name: str
    address: Address


class Cluster(Part):
    """One PostgreSQL cluster: a primary, its streaming replicas, and the pooler before them."""

    name: str
    nodes: tuple[Node, ...]
    pooler: Pooler | None = None

    @property
    def primary(self) -> Node:
        """The node that was made first and starts as the primary."""
        return self.nodes[0]

    @property
    def replicas(self) -> tuple[Node, ...]:
        """The nodes that start as streaming replicas."""
        return self.nodes[1:]

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


class Router(Part):
    """The HTTP edge."""

    name: str
    address: Address
    workers: int


class Worker(Part):
    """The process that runs timed jobs."""

    name: str


class Fleet(Part):
    """Everything that makes one installation. Without `etcd` no cluster fails over by itself."""

    global_cluster: Cluster
    etcd: tuple[Etcd, ...] = ()
    shards: tuple[Cluster, ...]
    storage: Storage
    router: Router
    worker: Worker

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """All PostgreSQL clusters, the global one first."""
        return (self.global_cluster, *self.shards)

    @property
    def api(self) -> str:
        """The base URL of the API."""
        return f"http://{self.router.address.host}:{self.router.address.port}"

    def names(self) -> Iterator[str]:
        """The name of every part that can be started and stopped, in the order to show them."""
        for cluster in self.clusters:
            yield from (node.name for node in cluster.nodes)
            if cluster.pooler:
                yield cluster.pooler.name
        yield from (member.name for member in self.etcd)
        yield from (self.storage.name, self.router.name, self.worker.name)

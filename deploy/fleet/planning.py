"""From wishes to a fleet: names, the order of ports, and where ports go that are taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from deploy.fleet.model import (
    GLOBAL,
    Address,
    Backups,
    Bucket,
    Cluster,
    Etcd,
    Fleet,
    Node,
    Pooler,
    Repository,
    Router,
    Storage,
    Worker,
)

LOOPBACK = "127.0.0.1"
# SeaweedFS puts each gRPC port at this distance and cannot be told otherwise as a whole.
GRPC_DISTANCE = 10_000
_HIGHEST_PORT = 65_535
_FIRST_CLUSTER = 20
_PORTS_PER_CLUSTER = 20
_PATRONI = 9
_POOLER = 19
_FIGURES = 6
_ETCD = 10
_BACKUP_BUCKETS = ("docshard-backups", "docshard-backups-far")
_RETENTION_DAYS = 7
_INNER = ("master", "volume", "filer", "admin")


@dataclass(frozen=True)
class Shape:
    """How large a fleet is, whether its clusters fail over by themselves (`ha`), and are backed up.

    `shards` is the highest number of a shard. Those `absent` below it are not the fleet's to make:
    they were removed, or stand elsewhere.
    """

    shards: int
    replicas: int
    poolers: bool
    router_workers: int = 2
    ha: bool = False
    absent: frozenset[int] = frozenset()
    backups: bool = False

    def grown_to_cover(self, fleet: Fleet) -> Shape:
        """This shape, but never less than a fleet that already holds data."""
        replicas = max(len(cluster.replicas) for cluster in fleet.clusters)
        highest = max((shard_number(cluster.name) for cluster in fleet.shards), default=0)
        return replace(
            self,
            shards=max(self.shards, highest),
            replicas=max(self.replicas, replicas),
            ha=self.ha or bool(fleet.etcd),
        )

    def numbers(self) -> list[int]:
        """The numbers of its shards."""
        return [n for n in range(1, self.shards + 1) if n not in self.absent]


def shard_name(number: int) -> str:
    """The name of the shard with this number."""
    return f"shard-{number}"


def shard_number(name: str) -> int:
    """The number in a shard's name."""
    return int(name.rpartition("-")[2])


class PortsExhausted(Exception):
    """No free port was found between the wanted one and the highest there is."""


@dataclass
class Ports:
    """Gives each name its port: the fixed one, else the wanted one, else the next that is free.

    `fixed` are ports of parts that run, `wanted` those that parts had before; without either a part
    wants its place after `base`.
    """

    base: int
    is_free: Callable[[int], bool]
    fixed: Mapping[str, int] = field(default_factory=dict)
    wanted: Mapping[str, int] = field(default_factory=dict)
    _given: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._given |= set(self.fixed.values())

    def take(self, name: str, offset: int, companion: int = 0) -> int:
        """The port of `name`; with `companion`, the port that far above must be free as well.

        Raises:
            PortsExhausted: nothing free above the wanted port.
        """
        if name in self.fixed:
            return self.fixed[name]
        start = self.wanted.get(name, self.base + offset)
        reserved = {port for other, port in self.wanted.items() if other != name}
        for port in range(start, _HIGHEST_PORT + 1 - companion):
            both = {port, port + companion}
            if not both & (self._given | reserved) and all(map(self.is_free, both)):
                self._given |= both
                return port
        raise PortsExhausted(f"no free port above {start} for {name}")


def plan(shape: Shape, ports: Ports) -> Fleet:
    """The fleet of that shape; equal input gives the equal fleet."""
    # The router first: it has the port that was asked for before anybody else can.
    router = Router(
        name="router",
        address=Address(host=LOOPBACK, port=ports.take("router", 0)),
        workers=shape.router_workers,
    )
    storage = _storage(_NEAR, ports, https=shape.backups)
    far = _storage(_FAR, ports, https=True) if shape.backups else None
    return Fleet(
        routers=(router,),
        storage=storage,
        far=far,
        backups=None if far is None else _backups(storage, far),
        etcd=(_etcd(ports),) if shape.ha else (),
        global_cluster=_cluster(GLOBAL, 0, shape, ports),
        shards=tuple(
            _cluster(shard_name(number), number, shape, ports) for number in shape.numbers()
        ),
        workers=(_worker("worker", ports),),
    )


def ports_of(fleet: Fleet) -> dict[str, int]:
    """Every port of a fleet by the name of its part: what `Ports.fixed` takes."""
    ports = {"router": fleet.router.address.port}
    ports |= {storage.name: storage.address.port for storage in fleet.storages}
    for cluster in fleet.clusters:
        ports |= {node.name: node.address.port for node in cluster.nodes}
        ports |= {pooler.name: pooler.address.port for pooler in cluster.poolers}
    ports |= {member.name: member.address.port for member in fleet.etcd}
    ports |= {worker.name: worker.figures.port for worker in fleet.workers if worker.figures}
    for inner in inner_ports_of(fleet).values():
        ports |= inner
    return ports


def inner_ports_of(fleet: Fleet) -> dict[str, dict[str, int]]:
    """The ports that parts hold besides their own, by part and then by their own names."""
    inner = {storage.name: dict(storage.inner_ports) for storage in fleet.storages}
    inner |= {member.name: {_peer(member.name): member.peer.port} for member in fleet.etcd}
    for cluster in fleet.clusters:
        inner |= {
            node.name: {_patroni(node.name): node.patroni.port}
            for node in cluster.nodes
            if node.patroni
        }
    return inner


def _patroni(node: str) -> str:
    return f"{node}-patroni"


def _peer(etcd: str) -> str:
    return f"{etcd}-peer"


def _worker(name: str, ports: Ports) -> Worker:
    return Worker(name=name, figures=Address(host=LOOPBACK, port=ports.take(name, _FIGURES)))


def _etcd(ports: Ports) -> Etcd:
    name = "etcd"
    return Etcd(
        name=name,
        address=Address(host=LOOPBACK, port=ports.take(name, _ETCD)),
        peer=Address(host=LOOPBACK, port=ports.take(_peer(name), _ETCD + 1)),
    )


def _backups(*stores: Storage) -> Backups:
    """A bucket of each store: in earnest the second is in another region."""
    return Backups(
        path="/docshard",
        retention_days=_RETENTION_DAYS,
        repositories=tuple(
            Repository(
                address=Address(host=store.address.host, port=store.inner_ports[https_of(store)]),
                bucket=Bucket(name=name, region=store.bucket.region),
                uri_style="path",
            )
            for name, store in zip(_BACKUP_BUCKETS, stores, strict=True)
        ),
    )


@dataclass(frozen=True)
class _Place:
    """A store: its name and its bucket of documents, and which ports it would like to have."""

    name: str
    bucket: str
    first: int
    https: int


_NEAR = _Place("s3", "docshard", 1, 12)
_FAR = _Place("s3-far", "docshard-copy", 13, 18)


def https_of(storage: Storage) -> str:
    """The name of a store's second port, which speaks TLS."""
    return f"{storage.name}-https"


def _storage(place: _Place, ports: Ports, *, https: bool) -> Storage:
    storage = Storage(
        name=place.name,
        address=Address(host=LOOPBACK, port=ports.take(place.name, place.first, GRPC_DISTANCE)),
        bucket=Bucket(name=place.bucket, region="us-east-1"),
        inner_ports={
            name: ports.take(name, place.first + number, GRPC_DISTANCE)
            for number, name in enumerate((f"{place.name}-{one}" for one in _INNER), start=1)
        },
    )
    if not https:
        return storage
    name = https_of(storage)
    secured = storage.inner_ports | {name: ports.take(name, place.https)}
    return storage.model_copy(update={"inner_ports": secured})


def _cluster(name: str, index: int, shape: Shape, ports: Ports) -> Cluster:
    start = _FIRST_CLUSTER + index * _PORTS_PER_CLUSTER
    poolers = (_pooler(f"{name}-pgbouncer", start, ports),) if shape.poolers else ()
    nodes = tuple(
        _node(name, number, start, ports, ha=shape.ha) for number in range(shape.replicas + 1)
    )
    return Cluster(name=name, nodes=nodes, poolers=poolers)


def _pooler(name: str, start: int, ports: Ports) -> Pooler:
    port = ports.take(name, start + _POOLER)
    return Pooler(name=name, address=Address(host=LOOPBACK, port=port))


def _node(cluster: str, number: int, start: int, ports: Ports, *, ha: bool) -> Node:
    if number == 0:
        name = f"{cluster}-primary"
    else:
        name = f"{cluster}-replica" + (f"-{number}" if number > 1 else "")
    return Node(
        name=name,
        address=Address(host=LOOPBACK, port=ports.take(name, start + number)),
        born="replica" if number else "primary",
        patroni=Address(host=LOOPBACK, port=ports.take(_patroni(name), start + _PATRONI + number))
        if ha
        else None,
    )

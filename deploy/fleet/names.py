"""Names of a fleet's parts: what rendered files make of them, and which would mean two things.

A unit, a container, an object of Kubernetes takes its name from the part that it runs; of two with
one name, one would silently replace the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from deploy.fleet.model import Cluster, Fleet, Node, Pooler

STORE = "s3"
PREPARE = "prepare-"
SERVICES = ("router", "worker", "command", "migrate")
"""What every fleet has besides, in containers: under these names."""


def _no_parts_own(name: str) -> str:
    if name in (STORE, *SERVICES):
        raise ValueError(f"rendered files call a part of every fleet {name}: choose another name")
    return name


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
OwnName = Annotated[Name, AfterValidator(_no_parts_own)]
"""Of what each fleet has its own: clusters, servers, poolers, members of etcd."""


def pooler_unit(pooler: Pooler, instance: int) -> str:
    """One of a pooler's processes."""
    return f"{pooler.name}-{instance}" if pooler.instances > 1 else pooler.name


def backup_unit(node: Node) -> str:
    """A server's backups."""
    return f"{node.name}-backup"


def twice(fleet: Fleet) -> Iterator[str]:
    """What two things would be called, in words: as units of hosts, as services among containers,
    as services of Kubernetes."""
    for kind, names in (
        ("unit", _units(fleet)),
        ("container", _containers(fleet)),
        ("Service", _services(fleet)),
    ):
        known: dict[str, str] = {}
        for name, part in names:
            if name in known:
                yield f"{known[name]} and {part} would both have a {kind} {name}: rename one"
            known[name] = part


def _units(fleet: Fleet) -> Iterator[tuple[str, str]]:
    yield STORE, "the store"
    for cluster in fleet.clusters:
        for node in cluster.nodes:
            yield node.name, f"node {node.name}"
            if fleet.backups:
                yield backup_unit(node), f"node {node.name} with its backups"
        for pooler in cluster.poolers:
            for instance in range(1, pooler.instances + 1):
                yield pooler_unit(pooler, instance), f"pooler {pooler.name}"
    yield from ((member.name, f"etcd {member.name}") for member in fleet.etcd)
    yield from ((router.name, f"router {router.name}") for router in fleet.routers)
    yield from ((worker.name, f"worker {worker.name}") for worker in fleet.workers)


def _containers(fleet: Fleet) -> Iterator[tuple[str, str]]:
    for cluster in fleet.clusters:
        yield cluster.name, f"cluster {cluster.name}"
        yield PREPARE + cluster.name, f"cluster {cluster.name} with its preparation"


def _services(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """As CloudNativePG calls those of a Cluster and of its Poolers."""
    for cluster in fleet.clusters:
        for name in _reached(cluster):
            yield name, f"cluster {cluster.name}"


def _reached(cluster: Cluster) -> Iterator[str]:
    yield from (f"{cluster.name}-{kind}" for kind in ("r", "ro", "rw"))
    yield from (f"{cluster.name}-pooler-{kind}" for kind in ("ro", "rw"))

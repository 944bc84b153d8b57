"""Overview: problems first, then every shard with its role, lag, pool, disk and errors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from global_db.cluster import Role
from router.console.desk import Desk
from router.console.pages.shell import LivePage
from router.console.router_work import ClusterWork
from services.errors import ServiceError
from services.fleet.fleet_standing import ClusterStanding, NodeStanding, fleet_standing
from services.fleet.problems import problems
from services.fleet.statistics import ShardStatistics


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """One cluster's line: its primary, and its nodes together. None: not known."""

    cluster: ClusterStanding
    primary: NodeStanding | None
    replicas: int
    answering: int
    work: ClusterWork | None
    statistics: ShardStatistics | None


def cluster_row(
    cluster: ClusterStanding, work: ClusterWork | None, statistics: ShardStatistics | None
) -> ClusterRow:
    """Sum up a cluster's nodes. Pure."""
    primary = next((node for node in cluster.nodes if node.role is Role.PRIMARY), None)
    return ClusterRow(
        cluster=cluster,
        primary=primary,
        replicas=sum(node is not primary for node in cluster.nodes),
        answering=sum(node.role is Role.REPLICA for node in cluster.nodes),
        work=work,
        statistics=statistics,
    )


async def values(desk: Desk) -> Mapping[str, Any]:
    """What is shown. Without the directory the rest is shown all the same."""
    fleet = fleet_standing(desk.resources)
    work = desk.work()
    works = {} if work is None else work.clusters
    rebalance, statistics = None, {}
    with suppress(ServiceError):  # that the directory is away is the first of the problems
        rebalance, statistics = await desk.rebalance(), dict(await desk.statistics())
    rows = [
        cluster_row(one, works.get(one.name), statistics.get(one.name)) for one in fleet.clusters
    ]
    return {
        "problems": problems(fleet, rebalance),
        "rows": rows,
        "work": work,
        "rebalance": rebalance if rebalance is not None and rebalance.rebalance.living else None,
        "topology": topology(rows),
    }


@dataclass(frozen=True, slots=True)
class Box:
    """A node's place in the picture."""

    node: NodeStanding
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Column:
    """A cluster's place, with its nodes below each other."""

    name: str
    state: str
    status: str
    x: float
    y: float
    height: float
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Topology:
    """The fleet as a picture, in units of the SVG."""

    width: float
    height: float
    router: tuple[float, float]
    columns: tuple[Column, ...]


_ACROSS, _DOWN, _HEAD, _NODE, _TOP, _MOST_ACROSS = 190, 26, 34, 48, 78, 4


def topology(rows: list[ClusterRow]) -> Topology:
    """Routers above; the directory and the shards below them, four side by side. Pure."""
    tallest = max((len(row.cluster.nodes) for row in rows), default=1)
    height = _HEAD + tallest * _NODE
    across = min(len(rows), _MOST_ACROSS)
    columns = []
    for number, row in enumerate(rows):
        x = (number % across) * _ACROSS
        y = _TOP + (number // across) * (height + _DOWN)
        columns.append(_column(row.cluster, x, y, height))
    lines = (len(rows) + across - 1) // across
    width = across * _ACROSS - 14
    return Topology(
        width, _TOP + lines * (height + _DOWN) - _DOWN + 2, (width / 2, 20), tuple(columns)
    )


def _column(cluster: ClusterStanding, x: float, y: float, height: float) -> Column:
    boxes = tuple(
        Box(node, x + 10, y + _HEAD + place * _NODE) for place, node in enumerate(cluster.nodes)
    )
    return Column(cluster.name, cluster.state, cluster.status, x, y, height, boxes)


PAGE = LivePage("overview", values)

"""What an operator should look at first, of what this process knows by itself. Pure.

`docshard doctor` examines more, and asks every server for it; these are the signs that show within
seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from global_db.cluster import Role
from services.fleet.fleet_standing import ClusterStanding, FleetStanding, NodeStanding
from services.fleet.rebalance_standing import Standing
from services.fleet.units import duration, size

Severity = Literal["outage", "warning", "note"]

_LAG_SECONDS: Final = 5.0
_LAG_BYTES: Final = 64 * 1024**2
_LEAST_FREE: Final = 1024**3
_ORDER: Final = ("outage", "warning", "note")
_STATES: Final[dict[str, tuple[Severity, str, str]]] = {
    "away": ("outage", "has no server that answers", "see that it runs: `docshard status`"),
    "read_only": ("outage", "has no primary: writes are refused", "see `docshard doctor`"),
    "behind": ("outage", "has another schema than this router", "run `docshard migrate up`"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to look after: where, what, and what to do."""

    severity: Severity
    subject: str
    what: str
    advice: str


def problems(fleet: FleetStanding, rebalance: Standing | None) -> list[Problem]:
    """What is wrong, the worst first."""
    found = [one for cluster in fleet.clusters for one in _of_cluster(cluster)]
    if rebalance is not None:
        found += _of_rebalance(rebalance)
    return sorted(found, key=lambda one: _ORDER.index(one.severity))


def _of_cluster(cluster: ClusterStanding) -> Iterator[Problem]:
    if cluster.state in _STATES:
        severity, what, advice = _STATES[cluster.state]
        yield Problem(severity, cluster.name, what, advice)
    for node in cluster.nodes:
        yield from _of_node(node, alone=cluster.state == "away")
    if cluster.free_bytes is not None and cluster.free_bytes < _LEAST_FREE:
        what = f"has {size(cluster.free_bytes)} of free disk"
        yield Problem("warning", cluster.name, what, "give it room, or move tenants away")
    if cluster.status == "draining":
        yield Problem("note", cluster.name, "is draining", "`docshard rebalance watch`")


def _of_node(node: NodeStanding, *, alone: bool) -> Iterator[Problem]:
    if node.role is Role.DOWN and not alone:
        yield Problem("warning", node.name, "does not answer", "start it, or look at its log")
    if (node.lag_seconds or 0) > _LAG_SECONDS or (node.behind_bytes or 0) > _LAG_BYTES:
        late = "" if node.lag_seconds is None else f"{duration(node.lag_seconds)} and "
        what = f"is {late}{size(node.behind_bytes or 0)} behind its primary"
        yield Problem("warning", node.name, what, "look for long queries on it, and at its disk")
    if node.pool.waiting:
        what = f"has {node.pool.waiting} requests of this router waiting for a connection"
        yield Problem("warning", node.name, what, "see its slow statements, or enlarge the pool")


def _of_rebalance(standing: Standing) -> Iterator[Problem]:
    whole = standing.overview
    if whole.unattended:
        yield Problem("warning", "rebalance", "nobody runs its moves", "start `docshard worker`")
    faults = [one for one in whole.moves if one.move.fault and not one.ended]
    if faults:
        first = faults[0].move
        what = f"{len(faults)} moves meet faults: {first.fault}"
        yield Problem("warning", "rebalance", what, f"`docshard move show {first.id}`")
    if whole.lost and standing.rebalance.living:
        what = f"{len(whole.lost)} moves were aborted and not retried"
        yield Problem("warning", "rebalance", what, f"`docshard move retry {whole.lost[0]}`")
    if standing.rebalance.state == "paused":
        yield Problem("note", "rebalance", "is paused", "`docshard rebalance resume`")

"""How far a replica is behind: two figures, for two questions.

`age_of` is for who gets an answer from it: everything acknowledged so many seconds before the
answer is in it. That is a bound and no guess, so the time since the primary was asked counts, too;
at rest that is up to a second. Callers have it as `Replica-Lag-Ms`.

`lag_of` is for who looks after the server: how far it was behind when it was last asked. Figures
for Prometheus and the console have it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from global_db.cluster import Cluster
from global_db.node import Node, Role


def age_of(cluster: Cluster, node: Node) -> float | None:
    """Seconds since everything acknowledged before is in what the node shows, at most.

    Where the primary was never met, the last commit replayed says it, by the servers' clocks.
    """
    shown = cluster.shown_by(node)
    if shown is not None:
        return time.monotonic() - shown.asked_at
    if node.place is None or node.place.committed_at is None:
        return None
    return max((datetime.now(UTC) - node.place.committed_at).total_seconds(), 0.0)


def lag_of(cluster: Cluster, node: Node) -> float | None:
    """Seconds that a replica was behind when it was last asked: 0 where it had all that a primary
    has told of; None where that is not known, and for what is no replica."""
    behind, shown = behind_bytes(cluster, node), cluster.shown_by(node)
    if behind == 0:
        return 0.0
    if behind is None or shown is None or node.place is None:
        return None
    return max(node.place.asked_at - shown.asked_at, 0.0)


def behind_bytes(cluster: Cluster, node: Node) -> int | None:
    """WAL that a replica lacks, by its own last answer and the primary's, which may be a second
    apart; None where one of them is not known, and for what is no replica."""
    primaries = [one.place.lsn for one in cluster.nodes if one.role is Role.PRIMARY and one.place]
    if node.role is not Role.REPLICA or node.place is None or not primaries:
        return None
    return max(0, max(primaries) - node.place.lsn)

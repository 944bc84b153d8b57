"""What a caller is told of a replica is a bound; what operators see is how far it was behind."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from global_db.address import Login, NodeAddress, PoolLimits
from global_db.cluster import Cluster
from global_db.lag import Sample
from global_db.node import Node, Role
from global_db.probe import Place
from global_db.staleness import age_of, behind_bytes, lag_of

HOUR = timedelta(hours=1)


def cluster() -> tuple[Cluster, Node, Node]:
    """Never opened: what its nodes said is put there."""
    addresses = [NodeAddress(name=name, host="127.0.0.1", port=1) for name in ("one", "two")]
    made = Cluster("shard-1", addresses, Login("r", "p", "d"), PoolLimits())
    primary, replica = made.nodes
    primary.role, replica.role = Role.PRIMARY, Role.REPLICA
    return made, primary, replica


def place(asked_at: float, lsn: int, committed_at: datetime | None = None) -> Place:
    return Place(asked_at, False, 1, lsn, committed_at, 1, 1)


async def test_a_replica_that_has_all_is_not_behind_and_yet_bounded() -> None:
    made, primary, replica = cluster()
    now = time.monotonic()
    made._track.record(1, Sample(now - 0.9, 100))
    primary.place, replica.place = place(now - 0.9, 100), place(now - 0.1, 100)
    assert (behind_bytes(made, replica), lag_of(made, replica)) == (0, 0.0)
    age = age_of(made, replica)
    assert age is not None and age >= 0.9


async def test_a_replica_is_as_far_behind_as_it_was_when_it_was_asked() -> None:
    made, primary, replica = cluster()
    now = time.monotonic()
    for ago, lsn in ((60, 100), (50, 200), (10, 300)):
        made._track.record(1, Sample(now - ago, lsn))
    primary.place, replica.place = place(now - 10, 300), place(now - 9, 250)
    assert behind_bytes(made, replica) == 50
    assert lag_of(made, replica) == pytest.approx(41)
    age = age_of(made, replica)
    assert age is not None and age >= 50
    # Its word may be older than the primary's: less than nothing it is not behind.
    replica.place = place(now - 55, 250)
    assert lag_of(made, replica) == 0.0


async def test_what_nobody_knows_is_not_told() -> None:
    made, primary, replica = cluster()
    assert (lag_of(made, replica), age_of(made, replica)) == (None, None)
    now = time.monotonic()
    primary.place, replica.place = place(now, 300), place(now, 250)
    assert (lag_of(made, replica), lag_of(made, primary)) == (None, None)
    replica.place = place(now, 250, datetime.now(UTC) - HOUR)
    age = age_of(made, replica)
    assert age is not None and age >= HOUR.total_seconds()

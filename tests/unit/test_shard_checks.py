"""Whether a cluster can become a shard, and whether a shard can leave: pure rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from global_db.bootstrap import ROLES
from global_db.inspection import ClockSeen, ServerSetup
from services.fleet.doctor import ClusterFacts, ServerFacts, Standby
from services.fleet.shard_checks import Candidate, Installation, Verdict, check
from services.fleet.shard_remove import Remains, judge
from shards.occupancy import Occupancy

TODAY = date(2026, 12, 31)
PRIMARY = ServerFacts(
    version="18.1",
    major=18,
    wal_level="logical",
    in_recovery=False,
    extensions=("btree_gin", "pg_trgm", "plpgsql"),
    standbys=(Standby("shard_3_replica", "streaming", 0, None),),
    slots=(),
    partitions=(),
    stray_audit_rows=False,
)
SETUP = ServerSetup(
    major=18,
    system=3,
    encoding="UTF8",
    collation="C.UTF-8",
    checksums=True,
    password_encryption="scram-sha-256",
    slots=10,
    senders=10,
    workers=4,
    roles=tuple(ROLES),
    bootstrapped=True,
    clock=ClockSeen(0.1, 0.01),
)
SERVERS: dict[str, ServerFacts | None] = {
    "a": PRIMARY,
    "b": replace(PRIMARY, in_recovery=True, standbys=()),
}
CANDIDATE = Candidate(
    "shard-3", 1.0, ClusterFacts("shard-3", SERVERS), {"a": SETUP, "b": SETUP}, free_bytes=2**40
)
THERE = Installation(
    frozenset({"shard-1", "shard-2"}),
    {
        "global": replace(SETUP, system=0, clock=ClockSeen()),
        "shard-1": replace(SETUP, system=1),
        "shard-2": replace(SETUP, system=2),
    },
    ("0001", "0002"),
)


def with_setup(setup: ServerSetup) -> Candidate:
    return replace(CANDIDATE, setups={"a": setup, "b": setup})


def verdict(candidate: Candidate, there: Installation = THERE) -> Verdict:
    return check(candidate, there, TODAY)


def test_a_cluster_that_is_right_is_let_in_without_a_word() -> None:
    """What PostgreSQL has by default is enough for one replica and the moves of one shard."""
    assert verdict(CANDIDATE) == Verdict((), ())
    assert verdict(replace(CANDIDATE, revision="0002")) == Verdict((), ())
    assert verdict(with_setup(replace(SETUP, collation="C.utf8"))) == Verdict((), ())


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (replace(CANDIDATE, name="third"), "third is no name for a shard"),
        (replace(CANDIDATE, name="shard-03"), "shard-03 is no name for a shard"),
        (replace(CANDIDATE, name="shard-2"), "shard-2 is or was the name of another shard"),
        (replace(CANDIDATE, weight=0), "shard-3 cannot have the weight 0"),
        (replace(CANDIDATE, free_bytes=2**20), "shard-3 has 1 MiB of free disk"),
        (
            replace(CANDIDATE, setups={"a": SETUP, "b": replace(SETUP, major=17)}),
            "shard-3 mixes PostgreSQL 17 and 18",
        ),
        (
            replace(CANDIDATE, setups={"a": SETUP, "b": replace(SETUP, system=4)}),
            "shard-3 has nodes of several clusters",
        ),
        (
            with_setup(replace(SETUP, system=1)),
            "shard-3 has the system identifier of shard-1",
        ),
        (replace(CANDIDATE, refused_roles=("docshard_app",)), "shard-3 lets nobody in as"),
        (
            replace(CANDIDATE, occupancy=Occupancy(directory=True)),
            "shard-3 holds the tables of a global database",
        ),
        (replace(CANDIDATE, occupancy=Occupancy(tenants=2)), "shard-3 holds 2 tenants"),
        (replace(CANDIDATE, revision="0003"), "shard-3 has schema 0003"),
        (
            replace(CANDIDATE, setups={}, faults={"a": "no answer"}),
            "a does not let us in: no answer",
        ),
        (
            replace(
                CANDIDATE,
                facts=ClusterFacts("shard-3", SERVERS | {"a": replace(PRIMARY, standbys=())}),
            ),
            "a feeds 0 of 1 replicas",
        ),
    ],
)
def test_each_obstacle_is_one_reason(candidate: Candidate, expected: str) -> None:
    (found,) = verdict(candidate).refusals
    assert f"{found.subject} {found.what}".startswith(expected)
    assert found.advice


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        (replace(SETUP, slots=8), "max_replication_slots 8"),
        (replace(SETUP, senders=4), "max_wal_senders 4"),
        (replace(SETUP, workers=3), "max_logical_replication_workers 3"),
        (replace(SETUP, password_encryption="md5"), "password_encryption md5"),
        (replace(SETUP, roles=tuple(ROLES)[1:]), "lacks the roles docshard_owner"),
        (replace(SETUP, bootstrapped=False), "lacks docshard's functions"),
        (replace(SETUP, encoding="LATIN1"), "has the encoding LATIN1"),
        (replace(SETUP, collation="de_DE.UTF-8"), "sorts as de_DE.UTF-8"),
        (replace(SETUP, clock=ClockSeen(-1.2, 0.01)), "has a clock 1.2 s apart"),
    ],
)
def test_what_a_server_lacks_is_told_of_each(setup: ServerSetup, expected: str) -> None:
    found = verdict(with_setup(setup)).refusals
    assert [one.subject for one in found] == ["a", "b"]
    assert all(expected in one.what for one in found)


def test_a_slow_line_makes_no_wrong_clock() -> None:
    far = replace(SETUP, clock=ClockSeen(-1.2, 0.5))
    assert verdict(with_setup(far)).refusals == ()


def test_several_obstacles_are_told_at_once() -> None:
    bad = replace(with_setup(replace(SETUP, slots=1)), name="x", free_bytes=1)
    assert len(verdict(bad).refusals) == 4


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (replace(CANDIDATE, free_bytes=None), "has a disk of unknown size"),
        (with_setup(replace(SETUP, checksums=False)), "has no data checksums"),
        (with_setup(replace(SETUP, major=15)), "is PostgreSQL 15, others are 18"),
        (
            replace(
                CANDIDATE,
                setups={"a": SETUP},
                facts=ClusterFacts("shard-3", {"a": replace(PRIMARY, standbys=())}),
            ),
            "has no replica",
        ),
    ],
)
def test_some_things_are_only_worth_knowing(candidate: Candidate, expected: str) -> None:
    judged = verdict(candidate)
    assert judged.refusals == ()
    assert all(note.what.startswith(expected) for note in judged.notes)
    assert judged.notes


def test_a_shard_that_is_away_stops_nobody_and_is_named() -> None:
    away = replace(THERE, setups={**THERE.setups, "shard-2": None})
    judged = verdict(CANDIDATE, away)
    assert judged.refusals == ()
    assert [note.what for note in judged.notes] == [
        "was not compared with shard-2, which does not answer"
    ]


EMPTY = Remains("draining", living=0, deleted=0, moves=0, others=1)


@pytest.mark.parametrize(
    ("remains", "expected"),
    [
        (EMPTY, []),
        (replace(EMPTY, status="active"), ["takes new clients"]),
        (replace(EMPTY, others=0), ["is the last shard"]),
        (replace(EMPTY, living=2, tenants=2, tables=("documents",)), ["has 2 clients"]),
        (replace(EMPTY, deleted=1, tenants=1), ["has 1 deleted clients"]),
        (replace(EMPTY, moves=1), ["is source or target of 1 moves"]),
        (replace(EMPTY, tenants=1), ["says that 1 tenants live on it"]),
        (replace(EMPTY, tables=("uploads",)), ["still has tenants' rows in uploads"]),
        (
            replace(EMPTY, status="active", living=1, others=0),
            ["takes new clients", "is the last shard", "has 1 clients"],
        ),
    ],
)
def test_only_an_empty_shard_may_leave(remains: Remains, expected: list[str]) -> None:
    found = list(judge("shard-3", remains))
    assert len(found) == len(expected)
    assert all(one.what.startswith(what) for one, what in zip(found, expected, strict=True))

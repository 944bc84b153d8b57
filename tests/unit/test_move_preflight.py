"""Each thing that is in a move's way is named, and so is what to do."""

from dataclasses import replace

import pytest

from services.fleet.moving.preflight import Look, judge
from shards.copying.facts import Room, ShardFacts, StandbyFacts, TableFacts

GOOD = ShardFacts(
    major=18,
    revision="0009",
    collation="C.UTF-8",
    wal_level="logical",
    partitions=("audit_logs_2026_11",),
    slots=Room(1, 10),
    senders=Room(1, 10),
    workers=Room(1, 8),
    oldest_seconds=0.0,
    oldest_pid=None,
    without_identity=(),
    free_bytes=None,
    tables=(TableFacts("documents", 10, 100 * 1024**2),),
    standbys=(StandbyFacts("shard-1-replica", True, 0),),
)
FINE = Look("shard-1", "shard-2", GOOD, GOOD, "0009")


def test_nothing_is_in_the_way() -> None:
    assert judge(FINE) == []


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (replace(FINE, source=replace(GOOD, revision="0007")), "shard-1 has schema revision 0007"),
        (replace(FINE, target=replace(GOOD, collation="de_DE")), "sorts text by"),
        (replace(FINE, archiving=True), "made or archived"),
        (replace(FINE, target=replace(GOOD, partitions=())), "audit_logs_2026_11"),
        (replace(FINE, source=replace(GOOD, wal_level="replica")), "wal_level replica"),
        (
            replace(FINE, source=replace(GOOD, slots=Room(10, 10))),
            "replication slot free: 10 of 10",
        ),
        (replace(FINE, target=replace(GOOD, senders=Room(10, 10))), "max_wal_senders"),
        (
            replace(FINE, target=replace(GOOD, workers=Room(8, 8))),
            "max_logical_replication_workers",
        ),
        (replace(FINE, target=replace(GOOD, free_bytes=100 * 1024**2)), "has 100 MiB free"),
        (replace(FINE, target=replace(GOOD, without_identity=("documents",))), "replica identity"),
        (replace(FINE, source=replace(GOOD, oldest_seconds=99.0, oldest_pid=7)), "pid 7"),
        (
            replace(FINE, target=replace(GOOD, standbys=(StandbyFacts("two", False, None),))),
            "The standby two of shard-2 does not stream",
        ),
    ],
)
def test_a_refusal_names_the_reason_and_a_remedy(look: Look, words: str) -> None:
    (refusal,) = judge(look)
    assert words in str(refusal)
    assert refusal.reason.endswith(".")
    assert refusal.remedy.endswith(".")


def test_all_reasons_are_told_at_once() -> None:
    bad = replace(GOOD, wal_level="replica", oldest_seconds=99.0, without_identity=("uploads",))
    assert len(judge(replace(FINE, source=bad))) == 3

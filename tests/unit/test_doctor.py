"""What the doctor makes of what servers say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from global_db.inspection import ClockSeen
from services.fleet.doctor import (
    ClusterFacts,
    ServerFacts,
    Slot,
    Standby,
    judge,
    judge_clocks,
    judge_schemas,
)
from services.fleet.migrate import SchemaState

TODAY = date(2026, 12, 31)
PRIMARY = ServerFacts(
    version="18.1",
    major=18,
    wal_level="logical",
    in_recovery=False,
    extensions=("btree_gin", "pg_trgm", "plpgsql"),
    standbys=(Standby("shard_1_replica", "streaming", 0, None),),
    slots=(Slot("shard_1_replica", active=True, wal_status="reserved"),),
    partitions=("audit_logs_2026_12", "audit_logs_2027_01", "audit_logs_default"),
    stray_audit_rows=False,
)
REPLICA = replace(PRIMARY, in_recovery=True, standbys=(), slots=())


def findings(primary: ServerFacts | None, replica: ServerFacts | None = REPLICA) -> list[str]:
    cluster = ClusterFacts("shard-1", {"primary": primary, "replica": replica})
    return [f"{finding.subject} {finding.what}" for finding in judge(cluster, TODAY)]


def test_a_healthy_cluster_has_no_findings() -> None:
    assert findings(PRIMARY) == []


@pytest.mark.parametrize(
    ("primary", "expected"),
    [
        (replace(PRIMARY, major=14, version="14.9"), "primary is PostgreSQL 14.9"),
        (replace(PRIMARY, wal_level="replica"), "primary has wal_level replica"),
        (replace(PRIMARY, extensions=("pg_trgm",)), "primary lacks the extensions btree_gin"),
        (replace(PRIMARY, standbys=()), "primary feeds 0 of 1 replicas"),
        (
            replace(PRIMARY, standbys=(Standby("replica", "streaming", 100 * 1024**2, 9.0),)),
            "replica is 9 s and 100 MiB behind",
        ),
        (
            replace(PRIMARY, slots=(Slot("gone", active=False, wal_status="extended"),)),
            "primary keeps WAL for the slot gone",
        ),
        (
            replace(PRIMARY, slots=(Slot("gone", active=False, wal_status="lost"),)),
            "primary has thrown away WAL",
        ),
        (
            replace(PRIMARY, partitions=("audit_logs_2026_12", "audit_logs_default")),
            "primary lacks audit_logs_2027_01",
        ),
        (replace(PRIMARY, stray_audit_rows=True), "primary has audit rows in the DEFAULT"),
    ],
)
def test_each_fault_is_one_finding(primary: ServerFacts, expected: str) -> None:
    found = findings(primary)
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_clocks_that_are_apart_are_told() -> None:
    def told(*ahead: float, doubt: float = 0.0) -> list[str]:
        servers = [replace(PRIMARY, clock=ClockSeen(one, doubt)) for one in ahead]
        names = ["global", "shard-1", "shard-2"]
        clusters = [
            ClusterFacts(name, {name: one}) for name, one in zip(names, servers, strict=True)
        ]
        return [f"{one.subject} {one.what}" for one in judge_clocks(clusters)]

    assert told(0.0, 0.9, -0.9) == []
    assert told(0.0, 3.0, 0.0, doubt=1.5) == []
    [shard] = told(0.0, 0.0, -3600.0)
    assert shard == "shard-2 has a clock 3600.0 s apart from the global database's"
    assert len(told(3600.0, 0.0, 0.0)) == 2
    assert list(judge_clocks([ClusterFacts("global", {"a": None})])) == []


def test_a_server_that_is_away_is_told_and_its_absence_is_not_told_twice() -> None:
    assert findings(PRIMARY, None) == ["replica does not answer"]


def test_no_primary_and_two_primaries_are_findings() -> None:
    assert findings(None) == ["primary does not answer", "shard-1 has no primary"]
    assert any("two primaries" in finding for finding in findings(PRIMARY, PRIMARY))


def test_schemas_that_lag_or_hide_are_findings() -> None:
    states = [
        SchemaState("global", "0002", ()),
        SchemaState("shard-1", "0001", ("0002",)),
        SchemaState("shard-2", None, (), "connection refused"),
    ]
    assert [finding.subject for finding in judge_schemas(states)] == ["shard-1", "shard-2"]

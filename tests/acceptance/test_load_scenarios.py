"""Scenarios in which an operator acts under load, on the fleet of all acceptance tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.runs.folder import read
from tests.acceptance.fleet import LocalFleet

pytestmark = pytest.mark.torture


@pytest.fixture(scope="module")
def filled(fleet: LocalFleet) -> LocalFleet:
    fleet.run("up", "--demo")
    return fleet


@pytest.mark.parametrize(
    ("scenario", "seconds", "acts"),
    [("replica-lag", 20, 2), ("during-rebalance", 60, 2), ("shard-add", 120, 2)],
)
def test_acts_happen_under_load_and_nothing_is_lost_or_wrong(
    filled: LocalFleet, tmp_path: Path, scenario: str, seconds: int, acts: int
) -> None:
    shards = len([name for name in filled.status() if name.endswith("-primary")])
    done = filled.run(
        *("load", "run", "--scenario", scenario, "--seconds", str(seconds)),
        *("--into", str(tmp_path / "run"), "--seed", "1"),
        check=False,
    )
    recorded = read(tmp_path / "run")
    gates = {gate.name: gate for gate in recorded.run.gates}
    for name in ("calls", "wrong answers", "acts done under load"):
        assert gates[name].passed, done.stderr
    assert recorded.run.ledger is not None
    assert recorded.run.ledger.balanced, done.stderr
    assert "FOUND" not in done.stderr
    told = [event for event in recorded.events if event.text.startswith("done: docshard")]
    assert len(told) == acts
    assert len([name for name in filled.status() if name.endswith("-primary")]) == shards

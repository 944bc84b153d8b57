"""Scenarios and what was measured, for tests of load tests."""

from loadtests.plan import Measured, PhaseFigures
from loadtests.scenario import Phase, Scenario

MIX = {"get document": 1}


def scenario(*phases: Phase, **more: object) -> Scenario:
    given = {"title": "t", "model": "open", "rate": 10, "seconds": 100, "mix": MIX} | more
    return Scenario.model_validate(given | ({"phases": phases} if phases else {}))


def measured(*phases: PhaseFigures, **more: object) -> Measured:
    given = {"started_at": 0, "seconds": 100, "operations": (), "outcomes": {"right": 1}} | more
    return Measured.model_validate(given | {"phases": phases or (PhaseFigures(),)})

"""Drawing histories, playing them, and playing those that are told."""

from __future__ import annotations

import ast
import logging
from collections import Counter
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.model.closing import FleetHistories
from tests.faults.model.grounds import Grounds
from tests.faults.model.plants import SOUND, Plant

_log = logging.getLogger(__name__)


def machine(on: Grounds, planted: Plant = SOUND) -> type[FleetHistories]:
    """Histories on these servers, with a count of their own."""

    class Histories(FleetHistories):
        grounds = on
        plant = planted
        tally: ClassVar[Counter[str]] = Counter()

    return Histories


def play(made: type[FleetHistories], chosen: int, steps: int, *, shorten: bool = True) -> None:
    """Draw a history of so many steps, and shorten it if it fails.

    Each is drawn for itself: hypothesis would make the later ones out of the first. Its first is
    the least of everything, which is not played.
    """
    _log.info("DOCSHARD_SEED=%s", chosen)
    run_state_machine_as_test(
        seed(chosen)(made),
        settings=settings(
            max_examples=2,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.generate, Phase.shrink] if shorten else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def play_told(made: type[FleetHistories], told: str) -> None:
    """Play a history as it stands in a log."""
    history: Any = made()
    try:
        for line in told.splitlines():
            call = ast.parse(line, mode="eval").body if line and line[0] != "#" else None
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                given = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
                getattr(history, call.func.id)(**given)
    finally:
        history.teardown()

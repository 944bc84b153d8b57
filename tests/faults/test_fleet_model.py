"""The fleet against its model, under random operators, tenants and faults (I1-I8).

A run logs DOCSHARD_SEED; a history that fails is logged as code, which DOCSHARD_HISTORY, the path
of a file with those lines, plays again. DOCSHARD_HISTORIES says how many a long round plays.
"""

from __future__ import annotations

import ast
import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from services.s3_settings import S3Settings
from tests.faults.model.closing import FleetHistories
from tests.faults.model.grounds import Grounds, grounds
from tests.integration.postgres import Postgres, Site

pytestmark = pytest.mark.usefixtures("blobs")  # their bucket

_log = logging.getLogger(__name__)
TOLD = Path(__file__).parent / "model" / "told"


@pytest.fixture(scope="module")
def model_grounds(
    postgres_site: Site,
    pair_template: Path,
    postgres: Postgres,
    s3_settings: S3Settings,
) -> Iterator[Grounds]:
    with grounds(postgres_site, pair_template, postgres, s3_settings) as made:
        yield made


def machine(on: Grounds) -> type[FleetHistories]:
    """Histories on these servers, with a count of their own."""

    class Histories(FleetHistories):
        grounds = on
        tally: ClassVar[Counter[str]] = Counter()

    return Histories


def play(made: type[FleetHistories], chosen: int, steps: int) -> None:
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
            phases=[Phase.generate, Phase.shrink],
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


@pytest.mark.parametrize("told", sorted(TOLD.glob("*.txt")), ids=lambda path: path.stem)
def test_a_told_history(model_grounds: Grounds, told: Path) -> None:
    play_told(machine(model_grounds), told.read_text())


@pytest.mark.torture
def test_a_long_round(model_grounds: Grounds, tell: Callable[[str], None]) -> None:
    made = machine(model_grounds)
    if path := os.environ.get("DOCSHARD_HISTORY"):
        play_told(made, Path(path).read_text())
    else:
        chosen = int(os.environ.get("DOCSHARD_SEED") or random.randrange(2**32))
        tell(f"DOCSHARD_SEED={chosen}")
        for n in range(int(os.environ.get("DOCSHARD_HISTORIES") or 40)):
            play(made, chosen + n, steps=40)
            _log.info("%s", dict(sorted(made.tally.items())))
    for name, number in sorted(made.tally.items()):
        tell(f"{number:>8} {name}")

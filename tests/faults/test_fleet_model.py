"""The fleet against its model, under random operators, tenants and faults (I1-I8).

A run logs DOCSHARD_SEED; a history that fails is logged as code, which DOCSHARD_HISTORY, the path
of a file with those lines, plays again. DOCSHARD_HISTORIES says how many a long round plays.
"""

from __future__ import annotations

import logging
import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.s3_settings import S3Settings
from tests.faults.model.grounds import Grounds, grounds
from tests.faults.model.plants import PLANTS, Plant
from tests.faults.model.playing import machine, play, play_told
from tests.integration.postgres import Postgres, Site

pytestmark = pytest.mark.usefixtures("blobs")  # their bucket

_log = logging.getLogger(__name__)
TOLD = Path(__file__).parent / "model" / "told"
# So many histories at most until a planted fault is noticed, and steps of each.
MOST, STEPS = 8, 15


@pytest.fixture(scope="module")
def model_grounds(
    postgres_site: Site,
    pair_template: Path,
    postgres: Postgres,
    s3_settings: S3Settings,
) -> Iterator[Grounds]:
    with grounds(postgres_site, pair_template, postgres, s3_settings) as made:
        yield made


@pytest.mark.parametrize("told", sorted(TOLD.glob("*.txt")), ids=lambda path: path.stem)
def test_a_told_history(model_grounds: Grounds, told: Path) -> None:
    play_told(machine(model_grounds), told.read_text())


@pytest.mark.torture
def test_a_long_round(model_grounds: Grounds, tell: Callable[[str], None]) -> None:
    made = machine(model_grounds)
    if path := os.environ.get("DOCSHARD_HISTORY"):
        play_told(made, Path(path).read_text())
    else:
        chosen = _seed()
        tell(f"DOCSHARD_SEED={chosen}")
        for n in range(int(os.environ.get("DOCSHARD_HISTORIES") or 40)):
            play(made, chosen + n, steps=40)
            _log.info("%s", dict(sorted(made.tally.items())))
    for name, number in sorted(made.tally.items()):
        tell(f"{number:>8} {name}")


@pytest.mark.torture
@pytest.mark.parametrize("plant", PLANTS, ids=str)
def test_a_planted_fault_is_noticed(
    model_grounds: Grounds, plant: Plant, tell: Callable[[str], None]
) -> None:
    """The model is not blind: on a fleet with a fault some history fails, and says why."""
    made, chosen = machine(model_grounds, plant), _seed()
    tell(f"DOCSHARD_SEED={chosen}")
    for number in range(MOST):
        try:
            play(made, chosen + number, STEPS, shorten=False)
        except Exception as noticed:
            sign = re.search(f".*({plant.sign}).*", _words(noticed))
            if sign is None:
                raise
            tell(f"{plant}: in history {number + 1}: {sign[0]}")
            return
    pytest.fail(f"not noticed in {MOST} histories")


def _words(error: BaseException) -> str:
    """Its own, and of what it has inside: a race that a history lost it seldom loses again, so
    what was noticed comes as a failure that hypothesis could not repeat."""
    inside = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return "\n".join([str(error), *map(_words, inside)])


def _seed() -> int:
    return int(os.environ.get("DOCSHARD_SEED") or random.randrange(2**32))

"""The fleet against its model, under random operators, tenants and faults (I1-I8).

A run logs DOCSHARD_SEED; a history that fails is logged as code, which DOCSHARD_HISTORY, the path
of a file with those lines, plays again. DOCSHARD_HISTORIES says how many a long round plays.
"""

from __future__ import annotations

import logging
import os
import random
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
HISTORIES = Path(__file__).parent / "model"
TOLD, PLANTED = HISTORIES / "told", HISTORIES / "planted"


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
@pytest.mark.parametrize("told", sorted(PLANTED.glob("*.txt")), ids=lambda path: path.stem)
def test_a_sound_fleet_passes(model_grounds: Grounds, told: Path) -> None:
    play_told(machine(model_grounds), told.read_text())


@pytest.mark.torture
@pytest.mark.parametrize("plant", PLANTS, ids=str)
def test_a_planted_fault_is_noticed(
    model_grounds: Grounds, plant: Plant, tell: Callable[[str], None]
) -> None:
    """The model is not blind: what a sound fleet passes fails with the fault, and says why."""
    told = (PLANTED / f"{plant.told}.txt").read_text()
    with pytest.raises(Exception, match=plant.sign) as noticed:
        play_told(machine(model_grounds, plant), told)
    tell(f"{plant}: {str(noticed.value)[:90]}")


def _seed() -> int:
    return int(os.environ.get("DOCSHARD_SEED") or random.randrange(2**32))

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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from services.blobs.store import BlobStore
from services.keys.local_file import create_key_file
from services.settings import S3Settings
from tests.faults.model.closing import FleetHistories
from tests.faults.model.grounds import Grounds, grounds
from tests.integration.postgres import Postgres, Site

_log = logging.getLogger(__name__)
_SHORT_SEED = 1


@pytest.fixture(scope="module")
def model_grounds(
    postgres_site: Site,
    pair_template: Path,
    postgres: Postgres,
    blobs: BlobStore,
    s3_settings: S3Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Grounds]:
    key_file: Path = tmp_path_factory.mktemp("keys") / "key"
    create_key_file(key_file)
    with grounds(postgres_site, pair_template, postgres, s3_settings, key_file) as made:
        yield made


def machine(on: Grounds) -> type[FleetHistories]:
    """Histories on these servers, with a count of their own."""

    class Histories(FleetHistories):
        grounds = on
        tally = Counter[str]()

    return Histories


def play(on: Grounds, chosen: int, histories: int, steps: int) -> Counter[str]:
    """Draw so many histories of so many steps."""
    _log.info("DOCSHARD_SEED=%s", chosen)
    made = machine(on)
    run_state_machine_as_test(
        seed(chosen)(made),
        settings=settings(
            # The first that is drawn is the smallest there is.
            max_examples=histories + 1,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    _log.info("%s", dict(sorted(made.tally.items())))
    return made.tally


def play_told(on: Grounds, told: str) -> None:
    """Play one history that stands in a log."""
    history: Any = machine(on)()
    try:
        history.begin()
        for line in told.splitlines():
            if line and not line.startswith(("#", "close")):
                call = ast.parse(line, mode="eval").body
                assert isinstance(call, ast.Call)
                assert isinstance(call.func, ast.Name)
                given = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
                getattr(history, call.func.id)(**given)
    finally:
        history.teardown()


def test_a_short_round(model_grounds: Grounds) -> None:
    play(model_grounds, _SHORT_SEED, histories=2, steps=20)


@pytest.mark.torture
def test_a_long_round(model_grounds: Grounds) -> None:
    if path := os.environ.get("DOCSHARD_HISTORY"):
        play_told(model_grounds, Path(path).read_text())
        return
    chosen = int(os.environ.get("DOCSHARD_SEED") or random.randrange(2**32))
    histories = int(os.environ.get("DOCSHARD_HISTORIES") or 40)
    play(model_grounds, chosen, histories, steps=40)

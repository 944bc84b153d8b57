"""The documents part against its model, with failures at COMMIT (I1, I2, I4, I5, I7, I8).

A history that fails is told again with DOCSHARD_SEED, which each run logs.
"""

import logging
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from services.blobs.store import BlobStore
from services.keys.local_file import create_key_file
from services.s3_settings import S3Settings
from tests.integration.document_histories import DocumentHistories
from tests.integration.document_world import World, world
from tests.integration.postgres import Postgres

_log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def documents_world(
    postgres: Postgres,
    shard_servers: tuple[Postgres, Postgres],
    blobs: BlobStore,
    s3_settings: S3Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    key_file: Path = tmp_path_factory.mktemp("keys") / "key"
    create_key_file(key_file)
    with world(postgres, shard_servers, s3_settings, key_file) as made:
        yield made


def play(documents_world: World, histories: int, steps: int) -> None:
    """Run so many histories of so many steps."""
    chosen = int(os.environ.get("DOCSHARD_SEED") or random.randrange(2**32))
    _log.info("DOCSHARD_SEED=%s", chosen)

    @seed(chosen)
    class Machine(DocumentHistories):
        world = documents_world

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    documents_world.run(documents_world.check_blobs())
    _log.info("%s", dict(documents_world.tally))


def test_a_short_round(documents_world: World) -> None:
    play(documents_world, histories=10, steps=40)


@pytest.mark.torture
def test_a_long_round(documents_world: World) -> None:
    play(documents_world, histories=60, steps=50)

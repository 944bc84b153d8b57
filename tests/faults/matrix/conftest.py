"""One world for all cases of a test process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.matrix.world import World, world_of
from tests.integration.postgres import Site


@pytest.fixture(scope="session")
async def world(
    postgres_site: Site, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Made once, hurt and mended by every case."""
    folder: Path = tmp_path_factory.mktemp("matrix")
    async with world_of(postgres_site, folder) as made:
        yield made

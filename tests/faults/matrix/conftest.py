"""One world for all cases of a test process."""

from collections.abc import AsyncIterator

import pytest

from tests.faults.matrix.world import Worlds
from tests.integration.postgres import Site


@pytest.fixture(scope="session")
async def worlds(
    postgres_site: Site, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Worlds]:
    """Made once, hurt and mended by every case."""
    made = Worlds(postgres_site, tmp_path_factory.mktemp("matrix"))
    yield made
    await made.end()

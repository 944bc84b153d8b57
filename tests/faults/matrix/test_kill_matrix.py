"""A mover is struck before and after every step of its own list, while its tenants are written to.

However it ends, finished or aborted, it ends soon: nothing that was acknowledged is lost or doubled
(I1, I2), nothing landed where the tenant did not live (I3), every change has its audit row (I5),
directory, residency and rows agree (I6), versions are dense (I7), and nothing is left behind.
"""

from collections.abc import Callable

import pytest

from tests.faults.matrix.cases import Case, parameters
from tests.faults.matrix.results import PROPERTY
from tests.faults.matrix.rounds import run
from tests.faults.matrix.world import Worlds

Record = Callable[[str, object], None]


@pytest.mark.parametrize("case", parameters())
async def test_a_struck_move_ends_and_nothing_is_lost(
    case: Case, worlds: Worlds, record_property: Record
) -> None:
    try:
        result = await run(await worlds.get(guarded=case.family.guarded), case)
    except BaseException:
        await worlds.end()
        raise
    record_property(PROPERTY, result.plain())

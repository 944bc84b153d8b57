"""Cursors: good for the list they came from, for nothing else."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cursor import Cursors, ListScope
from services.errors import InvalidCursor
from services.keys.material import Purpose
from services.keys.signing import Signer
from tests.unit.keys import HeldKeys, new_key

CURSORS = Cursors(Signer(HeldKeys(new_key(Purpose.TOKEN_SIGNING))))
SCOPE = ListScope("documents", uuid4(), {"q": "a", "mime_type": None, "metadata": {"a": [1]}})

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()


@given(st.lists(scalars, max_size=4))
async def test_a_position_reads_back(position: list[object]) -> None:
    text = CURSORS.encode(SCOPE, tuple(position))
    assert await CURSORS.decode(SCOPE, text) == tuple(position)


async def test_ids_and_times_come_back_as_text() -> None:
    moment, row = datetime(2024, 5, 1, 12, 30, 0, 123456, UTC), uuid4()
    position = await CURSORS.decode(SCOPE, CURSORS.encode(SCOPE, (moment, row)))
    assert datetime.fromisoformat(position[0]) == moment
    assert UUID(position[1]) == row


@pytest.mark.parametrize(
    "foreign",
    [
        replace(SCOPE, client_id=uuid4()),
        replace(SCOPE, client_id=None),
        replace(SCOPE, name="versions"),
        replace(SCOPE, filters={**SCOPE.filters, "q": "b"}),
        replace(SCOPE, filters={}),
    ],
)
async def test_a_foreign_cursor_is_refused(foreign: ListScope) -> None:
    with pytest.raises(InvalidCursor):
        await CURSORS.decode(foreign, CURSORS.encode(SCOPE, (1,)))


async def test_the_order_of_filters_does_not_matter() -> None:
    turned = replace(SCOPE, filters=dict(reversed(list(SCOPE.filters.items()))))
    assert await CURSORS.decode(turned, CURSORS.encode(SCOPE, (1,))) == (1,)


@pytest.mark.parametrize("text", ["", "x", "\x00", "é", "A" * 100_000, "=" * 40])
async def test_noise_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        await CURSORS.decode(SCOPE, text)

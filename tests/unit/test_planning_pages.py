"""A plan reads all clients in pages, however slowly the database answers."""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from global_db.planning_facts import Residents
from services.errors import DirectoryUnavailable
from services.fleet.planning import pages

CLIENTS = 25_000


def database(answers_at_once: int) -> Callable[[UUID, int], Awaitable[Residents | None]]:
    """One that answers no larger page within its deadline; its clients are called 1, 2, 3 …"""

    async def read(after: UUID, most: int) -> Residents | None:
        if most > answers_at_once:
            raise DirectoryUnavailable
        ids = range(after.int + 1, min(after.int + most, CLIENTS) + 1)
        if not ids:
            return None
        count, nothing = len(ids), array("q", [0]) * len(ids)
        figures = array("d", bytes(8 * count))
        named = b"".join(UUID(int=number).bytes for number in ids)
        places = array("i", bytes(4 * count))
        return Residents(named, places, bytes(count), nothing, nothing, figures, figures)

    return read


@pytest.mark.parametrize("answers_at_once", [1_000_000, 3_000, 500])
async def test_every_client_is_read_once(answers_at_once: int) -> None:
    read = [page async for page in pages(database(answers_at_once))]
    assert b"".join(page.ids for page in read) == b"".join(
        UUID(int=number).bytes for number in range(1, CLIENTS + 1)
    )


async def test_a_database_that_answers_nothing_is_not_asked_for_ever() -> None:
    with pytest.raises(DirectoryUnavailable):
        [page async for page in pages(database(answers_at_once=499))]

"""When an API key was used last: dated off the path of requests, and never in anybody's way."""

from uuid import uuid4

import psycopg
import pytest

from services.key_uses import KeyUses, tell, telling
from tests.integration.service import Service, User
from tests.integration.waiting import until


async def dates(service: Service) -> list[object]:
    rows = await service.sql("SELECT last_used_at FROM docshard.api_keys ORDER BY id")
    return [row["last_used_at"] for row in rows]


async def test_a_key_that_is_used_is_dated(service: Service, user: User) -> None:
    key = await service.api_key(user)
    resources = service.resources
    assert await dates(service) == [None]
    await service.status(key)
    async with telling(resources.data.global_db, resources.key_uses, every_seconds=0.01):

        async def dated() -> bool:
            return None not in await dates(service)

        await until(dated)
    (first,) = await dates(service)
    assert await tell(resources.data.global_db, resources.key_uses) == 0
    await service.status(key)
    assert await tell(resources.data.global_db, resources.key_uses) == 1
    assert await dates(service) > [first]


async def test_a_key_that_was_refused_is_not_dated(service: Service, user: User) -> None:
    key = await service.api_key(user)
    await service.sql("UPDATE docshard.api_keys SET revoked_at = now()")
    assert await service.status(key) == 401
    assert await tell(service.resources.data.global_db, service.resources.key_uses) == 0


async def test_a_locked_key_is_left_alone(service: Service, user: User) -> None:
    """Two processes that date the same keys, or one that is just being revoked."""
    await service.status(await service.api_key(user))
    async with service.database.session() as other:
        await other.execute("BEGIN")
        await other.execute("SELECT FROM docshard.api_keys FOR UPDATE")
        assert await tell(service.resources.data.global_db, service.resources.key_uses) == 0
        await other.execute("ROLLBACK")
    assert await dates(service) == [None]


async def test_uses_that_cannot_be_told_are_forgotten(service: Service, user: User) -> None:
    uses, data = KeyUses(), service.resources.data
    uses.note(user.id)
    await service.sql("ALTER TABLE docshard.api_keys RENAME TO gone")
    with pytest.raises(psycopg.errors.UndefinedTable):
        await tell(data.global_db, uses)
    assert uses.take() == []
    uses.note(user.id)
    async with telling(data.global_db, uses):
        """Its last words fail, and nothing else."""
    await service.sql("ALTER TABLE docshard.gone RENAME TO api_keys")


def test_no_more_keys_are_noted_than_there_is_room_for() -> None:
    uses = KeyUses(at_most=2)
    ids = sorted(uuid4() for _ in range(3))
    for key_id in (ids[0], ids[0], ids[1], ids[2]):
        uses.note(key_id)
    assert uses.take() == ids[:2]
    assert uses.take() == []

"""Somebody who lets the others in always remains, whoever removes whom at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from global_db import grants as stored_grants
from global_db import identities
from services.access.admission import admit_globally
from services.access.first_admin import init_admin
from services.administration import grants, users
from services.administration.users import UserPatch
from services.errors import LastAdmin
from services.identity.principal import Caller, Origin, Principal
from services.resources import Resources
from tests.integration.postgres import Database
from tests.integration.process import resources_of
from tests.integration.waiting import until

LOCK = "SELECT id FROM docshard.roles WHERE name = 'admin' FOR UPDATE"
WAITING = """
    SELECT count(*) AS waiting FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@dataclass(frozen=True)
class Two:
    """Two administrators, and nobody else."""

    global_db: Database
    resources: Resources
    one: UUID
    other: UUID

    async def caller(self, user_id: UUID) -> Caller:
        async with self.resources.data.global_db.read() as connection:
            held = await identities.grants(connection, user_id)
        return Caller(Principal(user_id, None, held), Origin())


Removal = Callable[[Two, Caller, UUID], Awaitable[object]]


async def delete(two: Two, caller: Caller, whom: UUID) -> None:
    await users.delete(two.resources, admit_globally(caller, "user:edit"), whom)


async def disable(two: Two, caller: Caller, whom: UUID) -> None:
    patch = UserPatch(frozenset({"is_active"}), is_active=False)
    await users.update(two.resources, admit_globally(caller, "user:edit"), whom, patch)


async def demote(two: Two, caller: Caller, whom: UUID) -> None:
    async with two.resources.data.global_db.read() as connection:
        held = await stored_grants.held_by(connection, whom)
    access = admit_globally(caller, "role:edit")
    await grants.take(two.resources, access, whom, held[0].id)


REMOVALS = (delete, disable, demote)


@pytest.fixture
async def two(global_db: Database, tmp_path: Path) -> AsyncIterator[Two]:
    async with resources_of(global_db, tmp_path) as resources:
        one, other = [
            await init_admin(resources, f"{name}@example.org", "a quiet harbour at dusk 41")
            for name in ("one", "other")
        ]
        yield Two(global_db, resources, one, other)


async def administrators(two: Two) -> int:
    async with two.global_db.session() as session:
        cursor = await session.execute(
            "SELECT count(*) AS n FROM docshard.users u JOIN docshard.user_roles g"
            " ON g.user_id = u.id WHERE u.is_active AND u.deleted_at IS NULL"
        )
        row = await cursor.fetchone()
        return int(row["n"]) if row else 0


@pytest.mark.parametrize("second", REMOVALS)
@pytest.mark.parametrize("first", REMOVALS)
async def test_of_two_who_remove_each_other_at_once_one_stays(
    two: Two, first: Removal, second: Removal
) -> None:
    """Both transactions are under way, and held before they look, when they are let go."""
    callers = await two.caller(two.one), await two.caller(two.other)
    async with two.global_db.session() as holder, two.global_db.session() as watcher:

        async def both_wait() -> bool:
            row = await (await watcher.execute(WAITING)).fetchone()
            return row is not None and row["waiting"] == 2

        async with holder.transaction():
            await holder.execute(LOCK)
            removals = [
                asyncio.ensure_future(first(two, callers[0], two.other)),
                asyncio.ensure_future(second(two, callers[1], two.one)),
            ]
            await until(both_wait)
        outcomes = await asyncio.gather(*removals, return_exceptions=True)
    assert sum(isinstance(outcome, LastAdmin) for outcome in outcomes) == 1
    assert await administrators(two) == 1


@pytest.mark.parametrize("removal", REMOVALS)
async def test_the_last_one_cannot_remove_itself(two: Two, removal: Removal) -> None:
    await delete(two, await two.caller(two.one), two.other)
    me = await two.caller(two.one)
    with pytest.raises(LastAdmin):
        await removal(two, me, two.one)
    assert await administrators(two) == 1


async def test_an_administrator_of_one_client_alone_does_not_count(two: Two) -> None:
    """Nor one who is deleted or disabled."""
    me = await two.caller(two.one)
    await disable(two, me, two.other)
    with pytest.raises(LastAdmin):
        await demote(two, me, two.one)

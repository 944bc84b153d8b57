"""All audit logs as one: every entry once, newest first, whatever moves or is away."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from global_db import shard_catalog
from services.access.admission import GlobalAccess
from services.administration import audit_logs
from services.administration.audit_logs import GlobalAuditFilter, MergedPage
from services.ids import new_id
from services.pages import PageRequest
from services.resources import Resources
from shards.tables import audit_logs as audit_logs_table
from tests.integration.desk import Workplace
from tests.integration.moving import set_state
from tests.integration.old_months import months_ago, write_global, write_rows
from tests.integration.postgres import ADMIN
from tests.integration.process import administrator
from tests.integration.rows import insert
from tests.integration.wire import Wire

ACCESS = GlobalAccess(administrator(), "audit:read")


@pytest.fixture
async def resources(workplace: Workplace) -> AsyncIterator[Resources]:
    async with workplace.process() as made:
        yield made


async def page(
    resources: Resources, wanted: GlobalAuditFilter, limit: int, cursor: str | None = None
) -> MergedPage:
    return await audit_logs.list_newest(resources, ACCESS, wanted, PageRequest(limit, cursor))


async def everything(resources: Resources, wanted: GlobalAuditFilter, limit: int = 7) -> list[UUID]:
    """The ids of all pages, which are in order."""
    found, cursor = [], None
    while True:
        one = await page(resources, wanted, limit, cursor)
        assert one.unavailable == ()
        found += one.items
        if one.next_cursor is None:
            break
        cursor = one.next_cursor
    places = [(entry.created_at, entry.id) for entry in found]
    assert places == sorted(places, reverse=True)
    assert len(set(places)) == len(places)
    return [entry.id for entry in found]


async def ids(workplace: Workplace, **values: Any) -> set[UUID]:
    """What the databases hold with these values."""
    found: set[UUID] = set()
    for database in (workplace.fleet.global_db, *workplace.fleet.shards.values()):
        async with database.session() as session:
            cursor = await session.execute("SELECT * FROM docshard.audit_logs")
            rows = await cursor.fetchall()
        found |= {
            row["id"] for row in rows if all(row[name] == value for name, value in values.items())
        }
    return found


async def filled(workplace: Workplace) -> dict[str, UUID]:
    """A tenant on each shard, with entries of this month and of two long past."""
    fleet, tenants = workplace.fleet, {}
    for name, shard in fleet.shards.items():
        tenants[name] = await fleet.tenant(name)
        for months in (0, 2, 9):
            await write_rows(shard, tenants[name], months_ago(months), 6)
    for months in (0, 2):
        await write_global(fleet.global_db, months_ago(months), 5)
    return tenants


async def test_every_entry_comes_once_newest_first(
    workplace: Workplace, resources: Resources
) -> None:
    tenants = await filled(workplace)
    found = await everything(resources, GlobalAuditFilter())
    assert len(found) == 2 * 18 + 10
    assert set(found) == await ids(workplace)
    assert await everything(resources, GlobalAuditFilter(), limit=200) == found
    for values, rows in (
        ({"client_id": tenants["shard-2"]}, 18),
        ({"entity_type": "user"}, 10),
        ({"action": "content.read", "client_id": tenants["shard-1"]}, 18),
        ({"client_id": new_id()}, 0),
    ):
        listed = await everything(resources, GlobalAuditFilter(**values))
        assert (set(listed), len(listed)) == (await ids(workplace, **values), rows)
    (entry, *_) = (await page(resources, GlobalAuditFilter(client_id=tenants["shard-2"]), 1)).items
    by_id = GlobalAuditFilter(entity_id=entry.entity_id)
    assert await everything(resources, by_id) == [entry.id]
    by_user = GlobalAuditFilter(user_id=entry.user_id, client_id=tenants["shard-2"])
    assert await everything(resources, by_user) == [entry.id]


async def test_a_moved_tenant_counts_where_it_lives(
    workplace: Workplace, resources: Resources
) -> None:
    """The copy and what is left behind are the same entries: they are never listed twice."""
    tenants = await filled(workplace)
    moved, source = tenants["shard-1"], workplace.fleet.shards["shard-1"]
    target = workplace.fleet.shards["shard-2"]
    found = await everything(resources, GlobalAuditFilter())
    async with source.session() as old, target.session() as new:
        rows = await (await old.execute("SELECT * FROM docshard.audit_logs")).fetchall()
        await new.execute("SELECT docshard.admit(%s, 1)", [moved])
        await set_state(new, moved, "importing")
        await new.execute("SET session_replication_role = replica")
        for row in rows:
            await insert(new, audit_logs_table, row | {"changes": "{}"})
        assert await everything(resources, GlobalAuditFilter()) == found
        await set_state(old, moved, "fenced")
        assert await everything(resources, GlobalAuditFilter()) == found
        await new.execute("UPDATE docshard.residency SET state = 'open'")
        assert await everything(resources, GlobalAuditFilter()) == found
        await set_state(old, moved, "gone")
        assert await everything(resources, GlobalAuditFilter()) == found


async def test_a_shard_that_is_away_is_named_and_its_entries_are_not_lost(
    workplace: Workplace,
) -> None:
    fleet = workplace.fleet
    await filled(workplace)
    async with Wire(fleet.shards["shard-2"].address).up() as wire:
        async with fleet.global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
            await shard_catalog.register(connection, "shard-2", [wire.address], weight=1)
        async with workplace.process() as resources:
            whole = await page(resources, GlobalAuditFilter(), 12)
            second = await page(resources, GlobalAuditFilter(), 12, whole.next_cursor)
            wire.cut()
            short = await page(resources, GlobalAuditFilter(), 12, whole.next_cursor)
            assert short.unavailable == ("shard-2",)
            there = {entry.id for entry in second.items}
            assert {entry.id for entry in short.items} != there
            wire.mend()
            await resources.data.registry.any_cluster("shard-2").look()
            assert await page(resources, GlobalAuditFilter(), 12, whole.next_cursor) == second

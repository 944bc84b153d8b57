"""I3: the application role cannot go past the fence, whatever it sends."""

import asyncio
from typing import LiteralString

import pytest
import uuid_utils.compat as uuid_utils
from psycopg import IsolationLevel, errors, sql

from shards.tables import TENANT_TABLES
from tests.integration.moving import fence
from tests.integration.postgres import ADMIN
from tests.integration.scene import (
    ENTER,
    FENCED,
    INSERT,
    INSUFFICIENT_PRIVILEGE,
    ISOLATION,
    NOT_ENTERED,
    Scene,
    refusal,
)

pytestmark = pytest.mark.versions

ENTER_LATE = """
    WITH written AS (
        INSERT INTO docshard.documents (client_id, id, original_name, mime_type, created_by)
        VALUES (%(client)s, %(id)s, 'a', 'text/plain', %(client)s)
        RETURNING client_id)
    SELECT docshard.enter_write(%(neighbour)s, 1) FROM written
"""


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
async def test_a_snapshot_older_than_the_lock_is_no_place_to_write(
    scene: Scene, level: IsolationLevel
) -> None:
    await scene.app.set_isolation_level(level)
    with refusal(ISOLATION):
        await scene.write(scene.app)
    with refusal(ISOLATION):
        async with scene.app.transaction():
            await scene.forge(scene.app)
            await scene.insert(scene.app)
    assert await scene.documents() == []


async def test_a_write_after_a_read_has_not_entered(scene: Scene) -> None:
    with refusal(NOT_ENTERED):
        async with scene.app.transaction():
            await scene.app.execute(ENTER, [scene.client, 1])
            await scene.insert(scene.app)
    with refusal(NOT_ENTERED):
        async with scene.app.transaction():
            await scene.enter(scene.app)
            await scene.app.execute(ENTER, [scene.client, 1])
            await scene.insert(scene.app)
    assert await scene.documents() == []


AUDIT = """
    INSERT INTO docshard.audit_logs (client_id, id, action, entity_type, entity_id, content_hash)
    VALUES (%(client)s, %(id)s, 'a', 'document', %(id)s, '')
"""
CHANGES: tuple[LiteralString, ...] = (
    INSERT,
    INSERT + " ON CONFLICT (client_id, id) DO UPDATE SET original_name = 'b'",
    INSERT + " ON CONFLICT DO NOTHING",
    "UPDATE docshard.documents SET original_name = 'b' WHERE client_id = %(client)s",
    "DELETE FROM docshard.uploads WHERE client_id = %(client)s",
    AUDIT,
    """
    WITH changed AS (
        UPDATE docshard.documents SET original_name = 'b'
         WHERE client_id = %(client)s RETURNING id)
    SELECT count(*) FROM changed
    """,
    """
    MERGE INTO docshard.documents d USING (SELECT %(id)s::uuid AS id) AS new
       ON d.client_id = %(client)s AND d.id = new.id
     WHEN NOT MATCHED THEN
        INSERT (client_id, id, original_name, mime_type, created_by)
        VALUES (%(client)s, new.id, 'a', 'text/plain', %(client)s)
    """,
)


@pytest.mark.parametrize("statement", CHANGES)
async def test_no_change_goes_past_the_guard(scene: Scene, statement: LiteralString) -> None:
    await scene.write(scene.app)
    names = {"client": scene.client, "id": uuid_utils.uuid7()}
    # With nothing set, row-level security refuses rows, and the guard what finds none.
    with refusal(NOT_ENTERED, INSUFFICIENT_PRIVILEGE):
        await scene.app.execute(statement, names)
    await fence(scene.mover, scene.client)
    before = await scene.documents()
    with refusal(FENCED):
        async with scene.app.transaction():
            await scene.forge(scene.app)
            await scene.app.execute(statement, names)
    assert await scene.documents() == before


async def test_copy_is_guarded(scene: Scene) -> None:
    await fence(scene.mover, scene.client)
    command = """
        COPY docshard.document_versions
             (client_id, id, document_id, version_number, s3_key, checksum_sha256, size, mime_type,
              created_by)
        FROM STDIN
    """
    # PostgreSQL copies into no table with row-level security, as any role it binds.
    with pytest.raises(errors.FeatureNotSupported):
        async with scene.app.transaction():
            await scene.forge(scene.app)
            async with scene.app.cursor().copy(command) as copy:
                await copy.write_row([scene.client])


async def test_truncate_is_refused(scene: Scene) -> None:
    for table in TENANT_TABLES:
        with pytest.raises(errors.InsufficientPrivilege):
            name = sql.Identifier("docshard", table.name)
            await scene.app.execute(sql.SQL("TRUNCATE {} CASCADE").format(name))
    # Even of the owner, who has the right to.
    async with scene.shard.session(ADMIN) as admin:
        await admin.execute("SET ROLE docshard_owner")
        with refusal(NOT_ENTERED):
            await admin.execute("TRUNCATE docshard.documents CASCADE")


async def test_partitions_have_no_door_of_their_own(scene: Scene) -> None:
    cursor = await scene.watcher.execute(
        "SELECT relname AS name FROM pg_partition_tree('docshard.audit_logs')"
        " JOIN pg_class ON oid = relid WHERE isleaf"
    )
    partitions = [sql.Identifier("docshard", row["name"]) for row in await cursor.fetchall()]
    assert len(partitions) >= 5
    for partition in partitions:
        for statement in ("SELECT FROM {}", "INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}"):
            with pytest.raises(errors.InsufficientPrivilege):
                await scene.app.execute(sql.SQL(statement).format(partition))


async def test_the_settings_of_one_transaction_are_not_the_next_ones(scene: Scene) -> None:
    await scene.write(scene.app)
    with pytest.raises(errors.InsufficientPrivilege):
        await scene.insert(scene.app)


async def test_what_is_undone_to_a_savepoint_was_not_entered(scene: Scene) -> None:
    """The lock goes with the savepoint, so a mover need not wait: what was learned while it was
    held is gone as well, and asked for again where somebody sets what entering had set."""
    async with scene.app.transaction():
        await scene.app.execute("SAVEPOINT before")
        await scene.enter(scene.app)
        await scene.insert(scene.app)
        await scene.app.execute("ROLLBACK TO before")
        with refusal(NOT_ENTERED, INSUFFICIENT_PRIVILEGE):
            async with scene.app.transaction():
                await scene.insert(scene.app)
        await asyncio.wait_for(fence(scene.mover, scene.client), 10)
        await scene.forge(scene.app)
        with refusal(FENCED):
            await scene.insert(scene.app)
    assert await scene.documents() == []


async def test_who_entered_one_tenant_has_not_entered_the_next(scene: Scene) -> None:
    """With its lock held all the same: the guard asks for the tenant that is set, each time."""
    neighbour = await scene.shard.admit()
    await fence(scene.mover, neighbour)
    for target, states in ((neighbour, FENCED), (scene.client, INSUFFICIENT_PRIVILEGE)):
        with refusal(states):
            async with scene.app.transaction():
                await scene.enter(scene.app)
                await scene.insert(scene.app)
                await scene.app.execute(
                    "SELECT set_config('app.client_id', %s, true)", [str(neighbour)]
                )
                await scene.insert(scene.app, target)
    assert await scene.documents() == []


async def test_a_change_with_its_audit_row_enters_once(scene: Scene) -> None:
    """The guards ask the fence in their own statements. By `enter_write` they did under two
    search_paths in turn, the queue's function having one of its own, and each change of it made
    PostgreSQL parse and plan anew all that stands in there: a fifth of a create."""
    async with scene.shard.session() as app, app.transaction():
        # Before the role: only a superuser may count calls.
        await app.execute("SET LOCAL track_functions = 'all'")
        await app.execute("SET LOCAL ROLE docshard_app")
        await scene.enter(app)
        document = await scene.insert(app)
        await app.execute(AUDIT, {"client": scene.client, "id": document})
        cursor = await app.execute(
            "SELECT funcname, calls FROM pg_stat_xact_user_functions"
            " WHERE funcname IN ('enter_write', 'guard_fence', 'guard_row')"
        )
        calls = {row["funcname"]: row["calls"] for row in await cursor.fetchall()}
    # documents, audit_logs, audit_pending
    assert calls == {"enter_write": 1, "guard_fence": 3, "guard_row": 3}


async def test_a_session_setting_enters_nothing_that_is_fenced(scene: Scene) -> None:
    await scene.app.execute(
        "SELECT set_config('app.client_id', %s, false), set_config('app.write_epoch', '1', false)",
        [str(scene.client)],
    )
    await scene.insert(scene.app)
    await fence(scene.mover, scene.client)
    with refusal(FENCED):
        await scene.insert(scene.app)


async def test_the_application_cannot_change_residency(scene: Scene) -> None:
    for statement in (
        "UPDATE docshard.residency SET state = 'open'",
        "DELETE FROM docshard.residency",
        "INSERT INTO docshard.residency SELECT gen_random_uuid(), 1, 'open'",
        "ALTER TABLE docshard.documents DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "SET ROLE docshard_owner",
        "CREATE TABLE docshard.mine ()",
        "CREATE TEMPORARY TABLE mine ()",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            await scene.app.execute(statement)


async def test_one_statement_cannot_write_for_one_tenant_and_enter_another(scene: Scene) -> None:
    """The guard looks at the tenant of the rows, not at whichever was entered last."""
    neighbour = await scene.shard.admit()
    await fence(scene.mover, scene.client)
    with refusal(NOT_ENTERED):
        async with scene.app.transaction():
            await scene.forge(scene.app)
            await scene.app.execute(
                ENTER_LATE,
                {"client": scene.client, "id": uuid_utils.uuid7(), "neighbour": neighbour},
            )
    assert await scene.documents() == []

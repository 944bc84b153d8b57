"""Rotating the key of encrypted fields: nothing lost, nothing stopped, and back after a kill."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from services.errors import Busy
from services.fleet import key_inventory
from services.fleet.key_rotation import Pace, Progress, Rotation, look
from services.keys.fields import Fields, user_field
from services.keys.material import Purpose
from tests.integration.postgres import ADMIN, APP, Database
from tests.integration.sealed_users import Office, office, some_users
from tests.integration.waiting import until

AT_ONCE = Pace(batch=7, settle_seconds=0)


@pytest.fixture
async def held(global_db: Database, tmp_path: Path) -> AsyncIterator[Office]:
    async with office(global_db, tmp_path) as made:
        yield made


async def test_every_value_gets_the_new_key_and_stays_what_it_was(held: Office) -> None:
    safe, users = held.safe, some_users(40)
    await safe.add(held.fields, users)
    keyring = await safe.keyring(held.data)
    (old,) = await safe.keys()
    values = (await safe.sealed_by())[old]

    rotated = await Rotation(held.data, held.keyring, AT_ONCE, "spring cleaning").run()

    assert rotated.key_id != old
    assert (rotated.resealed, rotated.overtaken, rotated.broken) == (values, 0, ())
    assert await safe.keys() == {old: "retired", rotated.key_id: "in use"}
    assert await safe.sealed_by() == {rotated.key_id: values}
    # Another process hears of it, opens all of it, and finds people as before.
    await keyring.refresh()
    router = Fields(keyring)
    assert await safe.read(router) == {user.id: user for user in users}
    assert router.email_index(users[1].email) == held.fields.email_index(users[1].email)
    created, used = await safe.audited("key.create"), await safe.audited("key.rotate")
    assert [row["reason"] for row in created + used] == ["spring cleaning"] * 2
    assert len(await safe.audited("key.reseal")) == -(-40 // 7) + 4 + 3
    assert "Person" not in repr(await safe.audited("key.reseal"))


async def test_the_list_tells_what_each_key_has_sealed(held: Office) -> None:
    await held.safe.add(held.fields, some_users(3))
    await Rotation(held.data, held.keyring, AT_ONCE).run()
    keys = await key_inventory.list_keys(held.data)
    assert [(key.state, key.values) for key in keys if key.purpose == "field_encryption"] == [
        ("in use", 6),
        ("retired", 0),
    ]
    assert {key.purpose for key in keys} == set(Purpose)
    shown = json.loads(held.safe.run("key", "list", "-o", "json").stdout)
    assert [key["state"] for key in shown["keys"]] == [key.state for key in keys]
    assert "wrapped" not in shown["keys"][0]


async def test_a_dry_run_counts_and_changes_nothing(held: Office) -> None:
    await held.safe.add(held.fields, some_users(4))
    (old,) = before = await held.safe.keys()
    told = held.safe.run("key", "rotate", "--data", "--dry-run", "-o", "json")
    assert told.returncode == 0, told.stderr
    shown = json.loads(told.stdout)
    assert shown["sealed"] == [{"key": str(old), "in_use": True, "values": 8}]
    assert "publish" in shown["steps"][0]
    assert await held.safe.keys() == before
    assert await held.safe.sealed_by() == {old: 8}


async def test_killed_in_the_middle_it_goes_on(held: Office) -> None:
    """I10: no state but the database's, and no second new key."""
    safe, users = held.safe, some_users(1500)
    await safe.add(held.fields, users)
    (old,) = await safe.keys()

    async def half_done() -> bool:
        return sum(n for key, n in (await safe.sealed_by()).items() if key != old) > 0

    with safe.running("key", "rotate", "--data", "--settle=0", "--batch=5"):
        await until(half_done, 30)
    left = (await safe.sealed_by())[old]
    assert left > 0
    plan = await look(held.data)
    assert (plan.make, plan.published, dict(plan.left)) == (False, None, {old: left})

    told = safe.run("key", "rotate", "--data", "--settle=0", "-o", "json")
    assert told.returncode == 0, told.stderr
    rotated = json.loads(told.stdout)["rotated"]
    assert rotated["resealed"] == left
    assert await safe.keys() == {old: "retired", UUID(rotated["key_id"]): "in use"}
    assert set(await safe.sealed_by()) == {UUID(rotated["key_id"])}
    assert await safe.read(held.fields) == {user.id: user for user in users}


async def test_killed_before_the_new_key_is_used_it_takes_that_key(held: Office) -> None:
    safe = held.safe
    await safe.add(held.fields, some_users(2))

    async def published() -> bool:
        return "published" in (await safe.keys()).values()

    with safe.running("key", "rotate", "--data", "--settle=600"):
        await until(published, 30)
    old, new = await safe.keys()
    # Everybody goes on with the old one meanwhile.
    assert (await safe.keyring(held.data)).current(Purpose.FIELD_ENCRYPTION).id == old
    rotated = await Rotation(held.data, held.keyring, AT_ONCE).run()
    assert rotated.key_id == new
    assert await safe.keys() == {old: "retired", new: "in use"}


async def test_changes_made_meanwhile_are_never_undone(held: Office) -> None:
    """I1: a rotation writes what it read only where that still stands."""
    safe, users = held.safe, some_users(60)
    await safe.add(held.fields, users)
    router = await safe.keyring(held.data)
    acknowledged = {user.id: user.email for user in users}
    stop = asyncio.Event()

    async def change(mine: list[UUID]) -> int:
        changes = 0
        async with safe.database.session(APP) as session:
            while not stop.is_set():
                for user_id in mine:
                    email = f"changed-{changes}-{user_id}@example.org"
                    sealed = Fields(router).seal(user_field("email", user_id), email)
                    await session.execute(
                        "UPDATE docshard.users SET email = %s, email_index = %s WHERE id = %s",
                        [sealed, held.fields.email_index(email), user_id],
                    )
                    acknowledged[user_id] = email
                    changes += 1
        return changes

    async def hear() -> None:
        while not stop.is_set():
            await asyncio.sleep(0.2)
            await router.refresh()

    ids = [user.id for user in users]
    writers = [asyncio.create_task(change(ids[start::3])) for start in range(3)]
    hearing = asyncio.create_task(hear())
    try:
        rotated = [
            await Rotation(held.data, held.keyring, Pace(batch=20, settle_seconds=0.5)).run()
            for _ in range(2)
        ]
    finally:
        stop.set()
    changes = sum(await asyncio.gather(*writers))
    await hearing

    assert changes > len(users)
    assert sum(one.overtaken for one in rotated) > 0
    assert {user.id: user.email for user in (await safe.read(held.fields)).values()} == (
        acknowledged
    )
    assert set(await safe.sealed_by()) == {rotated[-1].key_id}


async def test_a_late_writer_with_the_old_key_is_found_by_the_next_look(held: Office) -> None:
    safe, users = held.safe, some_users(10)
    await safe.add(held.fields, users)
    late = Fields(await safe.keyring(held.data))  # never refreshed
    first, wrote = users[0], False

    def write_behind(_: Progress) -> None:
        nonlocal wrote
        if not wrote:
            wrote = True
            sealed = late.seal(user_field("email", first.id), first.email)
            with psycopg.connect(safe.database.conninfo(APP)) as connection:
                connection.execute(
                    "UPDATE docshard.users SET email = %s WHERE id = %s", [sealed, first.id]
                )

    pace = Pace(batch=3, settle_seconds=0.3)
    rotated = await Rotation(held.data, held.keyring, pace, told=write_behind).run()
    assert wrote
    assert set(await safe.sealed_by()) == {rotated.key_id}


async def test_values_moved_to_another_place_do_not_open_and_are_reported(held: Office) -> None:
    safe, (ann, bob, cid) = held.safe, some_users(3)
    await safe.add(held.fields, [ann, bob, cid])
    async with safe.database.session() as session:
        await session.execute(
            "UPDATE docshard.users SET email = (SELECT email FROM docshard.users WHERE id = %s),"
            " mfa_secret = mobile WHERE id = %s",
            [cid.id, bob.id],
        )
    told = safe.run("key", "rotate", "--data", "--settle=0", "-o", "json")
    assert told.returncode == 6, told.stderr
    broken = json.loads(told.stdout)["rotated"]["broken"]
    assert {(one["column"], one["row_id"]) for one in broken} == {
        ("users.email", str(bob.id)),
        ("users.mfa_secret", str(bob.id)),
    }
    # What is left of the older key is no reason to make ever more keys, unless asked.
    assert not (await look(held.data)).make
    assert (await look(held.data, anew=True)).make


async def test_only_one_changes_keys_at_a_time(held: Office) -> None:
    await held.safe.add(held.fields, some_users(1))
    slow = asyncio.create_task(Rotation(held.data, held.keyring, Pace(settle_seconds=60)).run())

    async def published() -> bool:
        return "published" in (await held.safe.keys()).values()

    await until(published)
    with pytest.raises(Busy):
        await Rotation(held.data, held.keyring, AT_ONCE).run()
    slow.cancel()
    with suppress(asyncio.CancelledError):
        await slow
    await Rotation(held.data, held.keyring, AT_ONCE).run()


async def test_keys_are_changed_by_operators_only_and_deleted_by_nobody(held: Office) -> None:
    async with held.safe.database.session(APP) as session:
        for statement in (
            "UPDATE docshard.data_keys SET retired_at = now()",
            "DELETE FROM docshard.data_keys",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await session.execute(statement)
    async with held.safe.database.session(ADMIN) as session:
        for statement in ("DELETE FROM docshard.data_keys", "TRUNCATE docshard.data_keys"):
            with pytest.raises(psycopg.errors.RestrictViolation):
                await session.execute(statement)

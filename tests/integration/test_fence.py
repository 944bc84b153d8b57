"""I3: no write lands on a shard that does not own the tenant, however sessions interleave."""

import asyncio
from uuid import uuid4

import pytest

from tests.integration.moving import fence, fencing, set_state
from tests.integration.scene import (
    ENTERS,
    FENCED,
    NOT_RESIDENT,
    STALE_EPOCH,
    Scene,
    refusal,
)
from tests.integration.waiting import until_waiting

pytestmark = pytest.mark.versions


async def test_the_mover_waits_for_a_writer_in_flight(scene: Scene) -> None:
    async with scene.app.transaction():
        await scene.enter(scene.app)
        fencing_task = asyncio.create_task(fence(scene.mover, scene.client))
        await until_waiting(scene.watcher, scene.mover.info.backend_pid, locktype="advisory")
        document = await scene.insert(scene.app)
        assert not fencing_task.done()
    await fencing_task
    assert await scene.documents() == [document]
    with refusal(FENCED):
        await scene.write(scene.app)


async def test_a_writer_that_never_entered_makes_the_mover_wait_too(scene: Scene) -> None:
    """The guard takes the lock after the statement, and keeps it until the transaction ends."""
    async with scene.app.transaction():
        await scene.forge(scene.app)
        document = await scene.insert(scene.app)
        fencing_task = asyncio.create_task(fence(scene.mover, scene.client))
        await until_waiting(scene.watcher, scene.mover.info.backend_pid, locktype="advisory")
    await fencing_task
    assert await scene.documents() == [document]


async def test_a_writer_behind_the_mover_waits_and_is_refused(scene: Scene) -> None:
    async with fencing(scene.mover, scene.client):
        writing = asyncio.create_task(scene.write(scene.app))
        await until_waiting(scene.watcher, scene.app.info.backend_pid, locktype="advisory")
    with refusal(FENCED):
        await writing
    assert await scene.documents() == []


async def test_a_mover_that_gives_up_lets_the_waiting_writer_through(scene: Scene) -> None:
    with pytest.raises(ZeroDivisionError):
        async with fencing(scene.mover, scene.client):
            writing = asyncio.create_task(scene.write(scene.app))
            await until_waiting(scene.watcher, scene.app.info.backend_pid, locktype="advisory")
            raise ZeroDivisionError
    document = await writing
    assert await scene.documents() == [document]


async def test_a_transaction_older_than_the_fence_is_refused(scene: Scene) -> None:
    """Its first statement's snapshot said `open`; the one that enters takes a new one."""
    async with scene.app.transaction():
        cursor = await scene.app.execute(
            "SELECT state FROM docshard.residency WHERE client_id = %s", [scene.client]
        )
        assert await cursor.fetchone() == {"state": "open"}
        await fence(scene.mover, scene.client)
        with refusal(FENCED):
            await scene.enter(scene.app)


async def test_a_statement_that_waited_for_a_row_is_looked_at_after_the_fence(scene: Scene) -> None:
    """Forged settings, so no lock is held while the statement waits; its snapshot is older."""
    document = await scene.write(scene.app)
    change = "UPDATE docshard.documents SET original_name = 'b' WHERE client_id = %s AND id = %s"
    async with scene.other.transaction():
        # A lock on the row alone: nothing that the mover waits for.
        await scene.forge(scene.other)
        await scene.other.execute(
            "SELECT FROM docshard.documents WHERE client_id = %s AND id = %s FOR SHARE",
            [scene.client, document],
        )

        async def change_late() -> None:
            async with scene.app.transaction():
                await scene.forge(scene.app)
                await scene.app.execute(change, [scene.client, document])

        changing = asyncio.create_task(change_late())
        await until_waiting(scene.watcher, scene.app.info.backend_pid)
        await fence(scene.mover, scene.client)
    with refusal(FENCED):
        await changing


@pytest.mark.parametrize("epoch", [0, 2, -1, 2**62])
async def test_another_epoch_is_stale(scene: Scene, epoch: int) -> None:
    with refusal(STALE_EPOCH):
        await scene.enter(scene.app, epoch)
    with refusal(STALE_EPOCH):
        async with scene.app.transaction():
            await scene.forge(scene.app, epoch)
            await scene.insert(scene.app)
    assert await scene.documents() == []


async def test_without_an_epoch_nobody_enters(scene: Scene) -> None:
    for enter in ENTERS:
        with refusal(STALE_EPOCH):
            await scene.app.execute(enter, [scene.client, None])


async def test_no_row_means_no(scene: Scene) -> None:
    for enter in ENTERS:
        for stranger in (uuid4(), None):
            with refusal(NOT_RESIDENT):
                await scene.app.execute(enter, [stranger, 1])


@pytest.mark.parametrize(
    ("state", "refused"),
    [("importing", NOT_RESIDENT), ("gone", NOT_RESIDENT), ("fenced", FENCED)],
)
async def test_only_an_open_tenant_is_entered(scene: Scene, state: str, refused: str) -> None:
    await set_state(scene.mover, scene.client, state)
    for enter in ENTERS:
        with refusal(refused):
            await scene.app.execute(enter, [scene.client, 1])
    with refusal(refused):
        async with scene.app.transaction():
            await scene.forge(scene.app)
            await scene.insert(scene.app)
    assert await scene.documents() == []


async def test_tenants_do_not_wait_for_each_others_fences(scene: Scene) -> None:
    neighbour = await scene.shard.admit()
    async with fencing(scene.mover, neighbour):
        await scene.app.execute("SET lock_timeout = '500ms'")
        await scene.write(scene.app)


async def test_writers_do_not_wait_for_each_other(scene: Scene) -> None:
    async with scene.app.transaction():
        await scene.enter(scene.app)
        await scene.write(scene.other)
        await scene.insert(scene.app)
    assert len(await scene.documents()) == 2


async def test_a_tenant_known_in_any_state_is_not_admitted_again(scene: Scene) -> None:
    for state in ("importing", "fenced", "gone"):
        await set_state(scene.mover, scene.client, state, epoch=7)
        cursor = await scene.app.execute("SELECT docshard.admit(%s, 8) AS admitted", [scene.client])
        assert await cursor.fetchone() == {"admitted": False}
        cursor = await scene.watcher.execute(
            "SELECT epoch, state FROM docshard.residency WHERE client_id = %s", [scene.client]
        )
        assert await cursor.fetchone() == {"epoch": 7, "state": state}

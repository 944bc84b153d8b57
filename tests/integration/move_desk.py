"""Runners on a fleet of tests, and orders for them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

import uuid_utils.compat as uuid_utils
from psycopg.types.json import Jsonb

from global_db import leftovers, move_endings, moves
from global_db.moves import Move, NewMove
from services.fleet.moving.run import Told
from services.fleet.moving.runner import Rhythm, Runner, untold
from services.move_settings import MoveSettings
from services.resources import Data
from tests.integration.databases import Fleet
from tests.integration.waiting import until
from tests.integration.work import insert, look

MOVER = "docshard_mover"
SETTINGS = MoveSettings(grace_seconds=0.2)
# A dead runner is followed at once: the lease is as short as a heartbeat allows.
QUICK = Rhythm(lease=0.6, heartbeat=0.1, doubt=0.4, look=0.05)


async def unlinked(_shard: str, _clients: Sequence[UUID]) -> None:
    """The worker's other jobs link audit rows."""


@dataclass
class Desk:
    """Where moves are ordered and watched, as an operator does."""

    fleet: Fleet
    data: Data
    settings: MoveSettings = SETTINGS

    async def order(
        self,
        clients: Mapping[UUID, int],
        source: str = "shard-1",
        target: str = "shard-2",
        rebalance_id: UUID | None = None,
    ) -> UUID:
        """A new move of these clients, each at its epoch."""
        new = NewMove(uuid_utils.uuid7(), source, target, clients, rebalance_id)
        async with self.data.global_db.write() as connection:
            return (await moves.create(connection, new)).id

    async def reverse(self, parent: Move, epochs: Mapping[UUID, int]) -> UUID:
        """The way back of a move."""
        new = NewMove(uuid_utils.uuid7(), parent.target, parent.source, epochs, reverses=parent.id)
        async with self.data.global_db.write() as connection:
            return (await move_endings.reverse(connection, new)).id

    async def retry_of(self, move_id: UUID) -> Move:
        """The move that was ordered instead of an aborted one."""
        found: list[Move] = []

        async def there() -> bool:
            async with self.data.global_db.read() as connection:
                all_moves = await moves.newest(connection, None, 100)
            found[:] = [move for move in all_moves if move.retries == move_id]
            return bool(found)

        await until(there)
        return found[0]

    async def reversible(self, move_id: UUID, seconds: float = 5.0) -> Move:
        """Wait until the way back of a move is open."""

        async def there() -> bool:
            return bool((await self.get(move_id)).facts.get("way_back"))

        await until(there, seconds)
        return await self.get(move_id)

    async def faulty(self, move_id: UUID) -> Move:
        """Wait until a run has failed."""

        async def there() -> bool:
            return (await self.get(move_id)).fault is not None

        await until(there, 10)
        return await self.get(move_id)

    async def hasten(self, move_id: UUID) -> None:
        """End the grace of a move, as time would."""
        async with self.fleet.global_db.session() as session:
            await session.execute(
                "UPDATE docshard.moves SET sweep_after = now(), not_before = NULL WHERE id = %s",
                [move_id],
            )

    async def rebalance_becomes(self, rebalance_id: UUID, state: str, **settings: int) -> None:
        """What an operator says of a whole rebalance."""
        async with self.fleet.global_db.session() as session:
            await session.execute(
                "UPDATE docshard.rebalances SET state = %s, settings = %s WHERE id = %s",
                [state, Jsonb(settings), rebalance_id],
            )

    async def rebalance_is(self, rebalance_id: UUID, state: str, seconds: float = 5.0) -> None:
        """Wait until the rebalance is in this state."""

        async def there() -> bool:
            async with self.fleet.global_db.session() as session:
                cursor = await session.execute(
                    "SELECT state FROM docshard.rebalances WHERE id = %s", [rebalance_id]
                )
                row = await cursor.fetchone()
            return row is not None and row["state"] == state

        await until(there, seconds)

    async def get(self, move_id: UUID) -> Move:
        """The move as it is now."""
        async with self.data.global_db.read() as connection:
            found = await moves.get(connection, move_id)
        assert found is not None
        return found

    async def wish(self, move_id: UUID, wish: str) -> None:
        """What an operator says."""
        async with self.data.global_db.write() as connection:
            assert await moves.set_wish(connection, move_id, wish) is not None

    async def reaches(self, move_id: UUID, *states: str, seconds: float = 15.0) -> Move:
        """Wait until the move is in one of these states."""

        async def there() -> bool:
            return (await self.get(move_id)).state in states

        try:
            await until(there, seconds)
        except AssertionError as error:
            raise AssertionError(f"{await self.get(move_id)}") from error
        return await self.get(move_id)

    async def ends(self, move_id: UUID, state: str, seconds: float = 15.0) -> Move:
        """Wait until the move is in this state and has left nothing anywhere."""
        await self.reaches(move_id, state, seconds=seconds)

        async def clean() -> bool:
            async with self.data.global_db.read() as connection:
                return not await leftovers.of_move(connection, move_id)

        try:
            await until(clean, seconds)
        except AssertionError as error:
            raise AssertionError(f"{await self.get(move_id)}") from error
        return await self.get(move_id)

    @asynccontextmanager
    async def runner(self, told: Told = untold, rhythm: Rhythm = QUICK) -> AsyncIterator[Runner]:
        """A worker's runner, stopped in order at the end of the block."""
        made = Runner(self.data, self.settings, unlinked, told, rhythm)
        stop = asyncio.Event()
        task = asyncio.create_task(made.run(stop))
        try:
            yield made
        finally:
            stop.set()
            await task


@asynccontextmanager
async def desk(fleet: Fleet, settings: MoveSettings = SETTINGS) -> AsyncIterator[Desk]:
    """The fleet as movers see it."""
    async with fleet.opened(MOVER) as data:
        await data.registry.refresh()
        yield Desk(fleet, data, settings)


@dataclass
class Ledger:
    """What was acknowledged to writers of some tenants, and where it is looked for afterwards."""

    fleet: Fleet
    data: Data
    tenants: Sequence[UUID]
    written: dict[UUID, list[UUID]] = field(default_factory=lambda: defaultdict(list))

    def at_epoch(self, epoch: int) -> dict[UUID, int]:
        """The tenants as an order names them."""
        return dict.fromkeys(self.tenants, epoch)

    async def write_each(self) -> None:
        """One document for each tenant, and it is read again."""
        for tenant in self.tenants:
            await self._write(tenant)

    async def more_writes(self, number: int = 5) -> None:
        """Wait until each tenant has so many more."""
        before = {tenant: len(self.written[tenant]) for tenant in self.tenants}

        async def enough() -> bool:
            return all(len(self.written[one]) >= before[one] + number for one in self.tenants)

        await until(enough, 10)

    @asynccontextmanager
    async def writers(self, *refusals: type[Exception]) -> AsyncIterator[None]:
        """Somebody writes and reads for each tenant all the while; what fails with one of these is
        none that was acknowledged, any other error fails the test."""
        stop = asyncio.Event()

        async def keep(tenant: UUID) -> None:
            while not stop.is_set():
                with suppress(*refusals):
                    await self._write(tenant)

        async with asyncio.TaskGroup() as group:
            for tenant in self.tenants:
                group.create_task(keep(tenant))
            try:
                yield
            finally:
                stop.set()

    async def check(self, shard: str, epoch: int) -> None:
        """I1, I3, I6: each write is on this shard once and nowhere else, as all places say."""
        for tenant in self.tenants:
            placement = await self.data.placements.fetch(tenant)
            assert (placement.shard, placement.epoch) == (shard, epoch)
            for name, database in self.fleet.shards.items():
                async with database.session() as session:
                    cursor = await session.execute(
                        "SELECT id FROM docshard.documents WHERE client_id = %s", [tenant]
                    )
                    found = sorted(row["id"] for row in await cursor.fetchall())
                    cursor = await session.execute(
                        "SELECT epoch, state FROM docshard.residency WHERE client_id = %s",
                        [tenant],
                    )
                    row = await cursor.fetchone()
                if name == shard:
                    assert found == sorted(self.written[tenant])
                    assert row == {"epoch": epoch, "state": "open"}
                else:
                    assert row is None or row["state"] == "gone"

    async def _write(self, tenant: UUID) -> None:
        document = uuid_utils.uuid7()
        await self.data.tenants.write(tenant, insert(document))
        self.written[tenant].append(document)
        assert await self.data.tenants.read(tenant, look(document)) is not None


async def order_rebalance(at: Desk) -> UUID:
    """A rebalance that runs."""
    rebalance_id = uuid_utils.uuid7()
    async with at.fleet.global_db.session() as session:
        await session.execute(
            "INSERT INTO docshard.rebalances (id, goal, state) VALUES (%s, 'ring', 'running')",
            [rebalance_id],
        )
    return rebalance_id


async def unsettled(at: Desk) -> list[str]:
    """What moves left on the shards or in the books though none lives."""
    found = []
    for name, database in at.fleet.shards.items():
        async with database.session() as session:
            cursor = await session.execute(
                """
                SELECT 'slot ' || slot_name AS what FROM pg_replication_slots
                 WHERE database = current_database()
                 UNION ALL SELECT 'publication ' || pubname FROM pg_publication
                 UNION ALL
                SELECT 'subscription ' || subname FROM pg_subscription s
                  JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
                 UNION ALL
                SELECT 'row of ' || r.client_id FROM docshard.residency r
                 WHERE state = 'gone' AND EXISTS (
                       SELECT FROM docshard.documents d WHERE d.client_id = r.client_id)
                """
            )
            found += [f"{name}: {row['what']}" for row in await cursor.fetchall()]
    async with at.data.global_db.read() as connection:
        found += [f"{one.move_id}: {one.thing}" for one in await leftovers.living(connection)]
    return found

"""A new field-encryption key, and every value sealed with it, while everybody goes on working.

The order, and why:

1. **Publish** the new key. Every process fetches keys each `REFRESH_SECONDS` and from then on can
   open what the key will seal; none seals with it.
2. **Wait** until each has surely fetched it. A process that met a value of an unknown key would
   look for it by itself, but not at a moment when the provider is away.
3. **Use** it: one transaction retires the old key and puts the new one in its place.
4. **Encrypt anew**, column by column in ranges of row ids. Each value is compared and set: one that
   somebody changed meanwhile is newer than ours and stays. A process that has not heard of step 3
   may still seal with the old key, so
5. **look again**, from the start, until a look that began when all had heard finds nothing.

Interrupted anywhere, the next run goes on: a published key is used instead of making another, and
values that are done are not picked again. The old key is retired and never deleted: backups hold
what it sealed. Nothing here reads or writes blind indexes, whose keys have another life: a digest
cannot be made anew without the text, and uniqueness needs one key for all rows (docs/keys.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from global_db import data_keys, leases, sealed_values
from global_db.connection import WriteConnection
from global_db.sealed_values import SEALED_COLUMNS, Exchange, SealedColumn, SealedValue
from services.audit import Event, record_global
from services.errors import Busy
from services.failures import global_failures
from services.fleet.key_succession import Succession
from services.identity.principal import Origin
from services.keys.envelope import FieldPlace, SealBroken
from services.keys.fields import Fields
from services.keys.keyring import REFRESH_SECONDS, Keyring
from services.keys.material import Purpose
from services.keys.rotation_plan import RotationPlan, plan_rotation
from services.resources import Data

# A refresh that had just begun takes its time too.
SETTLE_SECONDS = 2 * REFRESH_SECONDS

_FIRST = UUID(int=0)
_PURPOSE = Purpose.FIELD_ENCRYPTION


@dataclass(frozen=True, slots=True)
class BrokenValue:
    """A value that its key does not open: damaged, or moved from its place."""

    column: str
    row_id: UUID
    reason: str


@dataclass
class Progress:
    """How far it is. `overtaken` values were changed by others meanwhile."""

    total: int
    resealed: int = 0
    overtaken: int = 0
    broken: dict[tuple[str, UUID], BrokenValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pace:
    """How to rotate: values in a transaction, and how long processes take to hear of a key."""

    batch: int = 500
    settle_seconds: float = SETTLE_SECONDS


@dataclass(frozen=True, slots=True)
class Rotated:
    """A finished rotation."""

    key_id: UUID
    resealed: int
    overtaken: int
    broken: tuple[BrokenValue, ...]


async def look(data: Data, *, anew: bool = False) -> RotationPlan:
    """What a rotation would do now."""
    with global_failures():
        async with data.global_db.read() as connection:
            keys = await data_keys.all_keys(connection)
            counts = await sealed_values.counts(connection)
    return plan_rotation(keys, counts, anew=anew)


@asynccontextmanager
async def only_one(data: Data) -> AsyncIterator[None]:
    """Hold the right to change data keys.

    Raises:
        Busy: another command has it.
    """
    with global_failures():
        async with leases.hold(data.global_db, "data keys") as lease:
            if lease is None:
                raise Busy("Another command changes data keys at present.")
            yield


@dataclass(frozen=True, slots=True)
class Rotation:
    """One run. `told` is called with the progress after every batch."""

    data: Data
    keyring: Keyring
    pace: Pace = field(default_factory=Pace)
    reason: str | None = None
    told: Callable[[Progress], None] = lambda _: None

    async def run(self, *, anew: bool = False) -> Rotated:
        """Rotate, or go on where an earlier run was interrupted.

        Raises:
            Busy: another run is under way.
            KeysUnavailable: the provider does not answer; what is done is done, run again.
            DirectoryUnavailable, OutcomeUnknown: run again.
        """
        async with only_one(self.data):
            plan = await look(self.data, anew=anew)
            key_id = await self._bring_into_use(plan)
            progress = Progress(plan.values)
            await self._reseal_all(key_id, progress)
        broken = tuple(progress.broken.values())
        return Rotated(key_id, progress.resealed, progress.overtaken, broken)

    async def _bring_into_use(self, plan: RotationPlan) -> UUID:
        settle = self.pace.settle_seconds
        succession = Succession(self.data, self.keyring, _PURPOSE, settle, self.reason)
        new = plan.in_use
        if plan.make or plan.published is not None:
            new = await succession.run(plan.published, plan.in_use)
        return await succession.confirm(new)

    async def _reseal_all(self, key_id: UUID, progress: Progress) -> None:
        all_have_heard = time.monotonic() + self.pace.settle_seconds
        while True:
            last = time.monotonic() >= all_have_heard
            before = progress.resealed + progress.overtaken
            progress.broken.clear()  # one may have been mended meanwhile
            for column in SEALED_COLUMNS:
                await self._reseal_column(column, key_id, progress)
            if progress.resealed + progress.overtaken == before:
                if last:
                    return
                await asyncio.sleep(all_have_heard - time.monotonic())

    async def _reseal_column(self, column: SealedColumn, key_id: UUID, progress: Progress) -> None:
        after = _FIRST
        while values := await self._next_values(column, key_id, after):
            after = values[-1].row_id
            exchanges = [
                exchange
                for value in values
                if (exchange := await self._resealed(column, value, progress)) is not None
            ]
            if exchanges:
                await self._exchange(column, key_id, exchanges, progress)
            self.told(progress)

    async def _next_values(
        self, column: SealedColumn, key_id: UUID, after: UUID
    ) -> list[SealedValue]:
        async with self.data.global_db.read() as connection:
            return await sealed_values.sealed_by_others(
                connection, column, key_id, after, self.pace.batch
            )

    async def _resealed(
        self, column: SealedColumn, value: SealedValue, progress: Progress
    ) -> Exchange | None:
        place = FieldPlace(column.table.name, column.name, value.row_id)
        try:
            new = await Fields(self.keyring).reseal(place, value.sealed)
        except SealBroken as error:
            name = str(column)
            progress.broken[name, value.row_id] = BrokenValue(name, value.row_id, str(error))
            return None
        return Exchange(value.row_id, value.sealed, new)

    async def _exchange(
        self,
        column: SealedColumn,
        key_id: UUID,
        exchanges: list[Exchange],
        progress: Progress,
    ) -> None:
        async with self.data.global_db.write() as connection:
            done = await sealed_values.exchange(connection, column, exchanges)
            # One row for the batch: no value changed, only what it is sealed with.
            after = {"column": str(column), "values": done, "through": exchanges[-1].row_id}
            await self._record(connection, Event("key.reseal", "data_key", key_id, None, after))
        progress.resealed += done
        progress.overtaken += len(exchanges) - done

    async def _record(self, connection: WriteConnection, event: Event) -> None:
        await record_global(connection, Origin(reason=self.reason), event)

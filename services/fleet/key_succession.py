"""How a new key takes an old one's place while everybody goes on working.

Published first, so that every process knows the key before it meets anything made with it; then,
after a wait, put into use in the transaction that retires the old one. Interrupted in between, the
next run goes on with the published key.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from global_db import data_keys
from global_db.connection import WriteConnection
from services.audit import Event, record_global
from services.errors import Conflict, KeysUnavailable
from services.identity.principal import Origin
from services.keys.keyring import Keyring
from services.keys.material import Purpose
from services.resources import Data


@dataclass(frozen=True, slots=True)
class Succession:
    """A change of the key in use for one purpose. The caller holds the right to change keys."""

    data: Data
    keyring: Keyring
    purpose: Purpose
    settle_seconds: float
    """How long everybody takes to hear of a key."""
    reason: str | None = None

    async def run(self, published: UUID | None, old: UUID | None) -> UUID:
        """Put a new key into use, or the one that waits; answers its id.

        Raises:
            KeysUnavailable: the provider does not answer; run again.
            Conflict: somebody else changed the key.
        """
        new = published or await self._publish()
        await asyncio.sleep(self.settle_seconds)
        await self._use(new, old)
        return new

    async def confirm(self, expected: UUID | None) -> UUID:
        """Look whether this key is the one in use now.

        Raises:
            Conflict: another one is.
        """
        await self.keyring.refresh()
        current = self.keyring.current(self.purpose).id
        if current != expected:
            raise Conflict("The key in use was changed by somebody else.")
        return current

    async def _publish(self) -> UUID:
        key = await self.keyring.make(self.purpose)
        async with self.data.global_db.write() as connection:
            if not await data_keys.publish(connection, key):
                raise Conflict("Another key of this purpose waits to be used.")
            after = {"purpose": key.purpose, "provider": key.provider, "state": "published"}
            await self._record(connection, Event("key.create", "data_key", key.id, None, after))
        return key.id

    async def _use(self, new: UUID, old: UUID | None) -> None:
        # Whoever uses it must be able to open it again: we are the first to try.
        await self.keyring.refresh()
        if await self.keyring.find(new) is None:
            raise KeysUnavailable("The new key is not at hand.")
        async with self.data.global_db.write() as connection:
            if not await data_keys.activate(connection, new, self.purpose):
                raise Conflict("The key that waited to be used is in use already.")
            before, after = {"in_use": old}, {"in_use": new}
            await self._record(connection, Event("key.rotate", "data_key", new, before, after))

    async def _record(self, connection: WriteConnection, event: Event) -> None:
        await record_global(connection, Origin(reason=self.reason), event)

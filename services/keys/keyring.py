"""The data keys that this process holds in the clear, in memory only.

Keys are kept wrapped in the global database. Each is unwrapped once; after that neither the
database nor the provider is needed to use it, so an outage of either does not stop what runs.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat as uuid_utils

from global_db.data_keys import DataKey
from services.errors import KeysUnavailable
from services.keys.material import KeyMaterial, Purpose
from services.keys.provider import KeyProvider, KeyProviderError
from services.keys.store import KeyStore

_log = logging.getLogger(__name__)
_PURPOSES = frozenset(Purpose)
# Unknown key ids come from outside: they make us look again, and not more often than this.
_LOOK_AGAIN_SECONDS = 1.0
_NEVER = datetime.max.replace(tzinfo=UTC)


class Keyring:
    """Holds keys by purpose. `clock` gives seconds that only go forward."""

    def __init__(
        self,
        store: KeyStore,
        provider: KeyProvider,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock
        self._held: dict[UUID, KeyMaterial] = {}
        self._by_purpose: dict[Purpose, tuple[KeyMaterial, ...]] = {}
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def load(self) -> None:
        """Fetch every key, and make those that no process has made yet.

        Processes may do this side by side: the database lets one key of each purpose in.

        Raises:
            KeysUnavailable: the database or the provider does not answer, or a key in use does
                not unwrap.
        """
        known = await self._store.all_keys()
        used = {key.purpose for key in known if key.retired_at is None}
        missing = [purpose for purpose in Purpose if purpose not in used]
        for purpose in missing:
            await self._store.insert(await self.make(purpose))
        # Read again: where another process was first, its key is the one.
        self._hold(await self._unwrapped(await self._store.all_keys() if missing else known))
        self._looked_at = self._clock()
        for purpose in Purpose:
            self.current(purpose)

    async def refresh(self) -> None:
        """Fetch keys that were made or retired since. To be called now and then.

        Raises:
            KeysUnavailable: the database does not answer; the keys held stay good.
        """
        async with self._looking:
            await self._look()

    def current(self, purpose: Purpose) -> KeyMaterial:
        """The key that makes new values: one that is about to retire goes before its successor.

        Raises:
            KeysUnavailable: none is held.
        """
        now = datetime.now(UTC)
        ends = [(key.retired_at or _NEVER, key) for key in self.held(purpose)]
        usable = [(end, key) for end, key in ends if end > now]
        if usable:
            return min(usable, key=lambda one: one[0])[1]
        raise KeysUnavailable(f"No key for {purpose.value} is at hand.")

    def held(self, purpose: Purpose) -> tuple[KeyMaterial, ...]:
        """Every key of the purpose, newest first, retired ones too."""
        return self._by_purpose.get(purpose, ())

    async def find(self, key_id: UUID) -> KeyMaterial | None:
        """A key of any purpose and age; None when there is no such key.

        Another process may have made it after our last look, so an unknown one is looked for.

        Raises:
            KeysUnavailable: it is not held, and the database does not answer.
        """
        if key_id not in self._held:
            async with self._looking:
                recent = self._clock() - self._looked_at < _LOOK_AGAIN_SECONDS
                if key_id not in self._held and not recent:
                    await self._look()
        return self._held.get(key_id)

    async def _look(self) -> None:
        self._hold(await self._unwrapped(await self._store.all_keys()))
        self._looked_at = self._clock()

    async def make(self, purpose: Purpose) -> DataKey:
        """Make a key that nobody has stored yet.

        Raises:
            KeysUnavailable: the provider does not wrap it.
        """
        key_id = uuid_utils.uuid7()
        context = _context(key_id, purpose)
        try:
            wrapped = await self._provider.wrap(secrets.token_bytes(32), context)
        except KeyProviderError as error:
            raise KeysUnavailable(f"A new key cannot be wrapped: {error}.") from error
        return DataKey(key_id, purpose.value, self._provider.name, wrapped)

    async def _unwrapped(self, keys: Iterable[DataKey]) -> list[KeyMaterial]:
        # A purpose that is unknown belongs to a newer release, which is none of our business.
        ours = [key for key in keys if key.purpose in _PURPOSES]
        return [material for key in ours if (material := await self._material(key)) is not None]

    async def _material(self, key: DataKey) -> KeyMaterial | None:
        purpose, held = Purpose(key.purpose), self._held.get(key.id)
        try:
            secret = held.secret if held is not None else await self._unwrap(key, purpose)
        except KeyProviderError as error:
            # Others may be fine. Who needs this one is told that it is not at hand.
            _log.error("data key %s for %s does not unwrap: %s", key.id, key.purpose, error)
            return None
        created_at = key.created_at or datetime.now(UTC)
        return KeyMaterial(key.id, purpose, secret, created_at, key.retired_at)

    async def _unwrap(self, key: DataKey, purpose: Purpose) -> bytes:
        if key.provider != self._provider.name:
            raise KeyProviderError(
                f"it was wrapped by {key.provider}, and {self._provider.name} is configured"
            )
        return await self._provider.unwrap(key.wrapped, _context(key.id, purpose))

    def _hold(self, keys: Iterable[KeyMaterial]) -> None:
        newest_first = sorted(keys, key=lambda key: (key.created_at, key.id), reverse=True)
        self._held = {key.id: key for key in newest_first}
        self._by_purpose = {
            purpose: tuple(key for key in newest_first if key.purpose is purpose)
            for purpose in Purpose
        }


def _context(key_id: UUID, purpose: Purpose) -> dict[str, str]:
    """Give what a wrapped key is bound to, so that none can be put in another's place."""
    return {"service": "docshard", "purpose": purpose.value, "key_id": str(key_id)}

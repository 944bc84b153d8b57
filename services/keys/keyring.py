"""The data keys that this process holds in the clear, in memory only.

Keys are kept wrapped in the global database. Each is unwrapped once; after that neither the
database nor the provider is needed to use it, so an outage of either does not stop what runs.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat as uuid_utils

from global_db.data_keys import DataKey
from services.errors import KeysUnavailable
from services.keys.material import KeyMaterial, Purpose
from services.keys.provider import KeyProvider, KeyProviderError, KeyProviderUnavailable
from services.keys.store import KeyStore

# How often every process fetches what changed. A rotation waits for this, twice.
REFRESH_SECONDS = 5.0

_log = logging.getLogger(__name__)
_PURPOSES = frozenset(Purpose)
# Unknown key ids come from outside: they make us look again, and not more often than this.
_LOOK_AGAIN_SECONDS = 1.0


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
        self._closed: dict[UUID, KeyProviderError] = {}
        self._by_purpose: dict[Purpose, tuple[KeyMaterial, ...]] = {}
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def load(self) -> None:
        """Fetch every key, and make those that no process has made yet.

        Processes may do this side by side: the database lets one key of each purpose in.

        Raises:
            KeysUnavailable: the database or the provider does not answer, or a key in use does
                not unwrap. Its cause is what the provider said.
        """
        async with self._looking:
            known = await self._store.all_keys()
            used = {key.purpose for key in known if key.activated_at and not key.retired_at}
            missing = [purpose for purpose in Purpose if purpose not in used]
            for purpose in missing:
                await self._store.insert(await self.make(purpose))
            # Read again: where another process was first, its key is the one.
            await self._open(await self._store.all_keys() if missing else known)
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
        """The key that makes new values.

        Raises:
            KeysUnavailable: none is held.
        """
        for key in self.held(purpose):
            if key.in_use:
                return key
        reason = next(iter(self._closed.values()), None)
        raise KeysUnavailable(f"No key for {purpose.value} is at hand.") from reason

    def held(self, purpose: Purpose) -> tuple[KeyMaterial, ...]:
        """Every key of the purpose, newest first, retired ones too."""
        return self._by_purpose.get(purpose, ())

    async def find(self, key_id: UUID) -> KeyMaterial | None:
        """A key of any purpose and age; None when there is no such key.

        Another process may have made it after our last look, so an unknown one is looked for.

        Raises:
            KeysUnavailable: it is not held, and the database or the provider does not give it.
        """
        if key_id not in self._held:
            async with self._looking:
                recent = self._clock() - self._looked_at < _LOOK_AGAIN_SECONDS
                if key_id not in self._held and not recent:
                    await self._look()
        if key_id in self._closed:
            raise KeysUnavailable("The value's key is not at hand.") from self._closed[key_id]
        return self._held.get(key_id)

    async def make(self, purpose: Purpose) -> DataKey:
        """Make a new key, wrapped and stored nowhere yet.

        Raises:
            KeysUnavailable: the provider does not wrap it.
        """
        key_id = uuid_utils.uuid7()
        try:
            wrapped = await self._provider.wrap(
                secrets.token_bytes(32), key_context(key_id, purpose)
            )
        except KeyProviderError as error:
            raise KeysUnavailable("A new key cannot be wrapped.") from error
        return DataKey(key_id, purpose.value, self._provider.name, wrapped)

    async def _look(self) -> None:
        await self._open(await self._store.all_keys())

    async def _open(self, keys: Iterable[DataKey]) -> None:
        """Hold what unwraps, and remember of the rest why it does not."""
        held: list[KeyMaterial] = []
        closed: dict[UUID, KeyProviderError] = {}
        away: KeyProviderUnavailable | None = None
        # A purpose that is unknown belongs to a newer release, which is none of our business.
        for key in (key for key in keys if key.purpose in _PURPOSES):
            try:
                held.append(await self._material(key, away))
            except KeyProviderError as error:
                # Others may be fine. Who needs this one is told that it is not at hand.
                closed[key.id] = error
                away = error if isinstance(error, KeyProviderUnavailable) else away
        self._tell(closed)
        self._hold(held)
        self._closed = closed
        self._looked_at = self._clock()

    async def _material(self, key: DataKey, away: KeyProviderUnavailable | None) -> KeyMaterial:
        purpose, known = Purpose(key.purpose), self._held.get(key.id)
        if known is None and away is not None:
            # An absent provider costs its time-out with every question: one is enough.
            raise away
        secret = await self._unwrap(key, purpose) if known is None else known.secret
        created_at = key.created_at or datetime.now(UTC)
        published = key.activated_at is None
        return KeyMaterial(key.id, purpose, secret, created_at, key.retired_at, published)

    async def _unwrap(self, key: DataKey, purpose: Purpose) -> bytes:
        if key.provider != self._provider.name:
            raise KeyProviderError(
                f"it was wrapped by {key.provider}, and {self._provider.name} is configured"
            )
        secret = await self._provider.unwrap(key.wrapped, key_context(key.id, purpose))
        if len(secret) != 32:
            raise KeyProviderError(f"{key.provider} unwrapped it to {len(secret)} bytes")
        return secret

    def _tell(self, closed: Mapping[UUID, KeyProviderError]) -> None:
        for key_id, error in closed.items():
            if str(error) != str(self._closed.get(key_id, "")):
                _log.error("data key %s does not unwrap: %s", key_id, error)

    def _hold(self, keys: Iterable[KeyMaterial]) -> None:
        newest_first = sorted(keys, key=lambda key: (key.created_at, key.id), reverse=True)
        self._held = {key.id: key for key in newest_first}
        self._by_purpose = {
            purpose: tuple(key for key in newest_first if key.purpose is purpose)
            for purpose in Purpose
        }


def key_context(key_id: UUID, purpose: str) -> dict[str, str]:
    """Give what a wrapped key is bound to, so that none can be put in another's place."""
    return {"service": "docshard", "purpose": str(purpose), "key_id": str(key_id)}

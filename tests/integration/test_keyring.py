"""The keyring over its real store: keys made once, held through outages, found after rotations."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import pytest

from global_db import data_keys
from global_db.cluster import Cluster, PoolLimits
from global_db.data_keys import DataKey
from services.errors import KeysUnavailable
from services.keys.fields import FieldPlace, Fields, SealBroken
from services.keys.keyring import Keyring
from services.keys.local_file import LocalFileProvider, create_key_file
from services.keys.material import Purpose
from services.keys.provider import KeyProvider, KeyProviderUnavailable
from services.keys.store import GlobalKeyStore
from tests.integration.postgres import ADMIN, APP, Database
from tests.integration.waiting import until
from tests.integration.wire import Wire

RETIRE = "UPDATE docshard.data_keys SET retired_at = now() WHERE purpose = %s"
SWAP = """
    UPDATE docshard.data_keys SET purpose =
           CASE purpose WHEN 'jwt_signing' THEN 'token_signing' ELSE 'jwt_signing' END
     WHERE id = ANY(SELECT id FROM docshard.data_keys WHERE purpose LIKE '%%_signing')
"""
STRANGE = """
    INSERT INTO docshard.data_keys (id, purpose, provider, wrapped, retired_at)
    VALUES (gen_random_uuid(), 'not_invented_yet', 'local-file', 'x', NULL),
           (gen_random_uuid(), 'field_encryption', 'elsewhere', 'x', now())
"""


class FailingProvider:
    """A provider that can be away: `KeyProvider` over another one."""

    name = "local-file"

    def __init__(self, inner: KeyProvider) -> None:
        self._inner = inner
        self.away = False
        self.asked = 0

    async def wrap(self, plain: bytes, context: Mapping[str, str]) -> bytes:
        return await self._inner.wrap(plain, context)

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self.asked += 1
        if self.away:
            raise KeyProviderUnavailable("away")
        return await self._inner.unwrap(wrapped, context)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Keys:
    """Where keys are kept, reached through a wire, and who wraps them."""

    database: Database
    cluster: Cluster
    wire: Wire
    provider: FailingProvider
    clock: Clock = field(default_factory=Clock)

    async def loaded(self) -> Keyring:
        keyring = Keyring(GlobalKeyStore(self.cluster), self.provider, self.clock)
        await keyring.load()
        return keyring

    async def execute(self, statement: LiteralString, *values: Any) -> list[dict[str, Any]]:
        async with self.database.session() as session:
            cursor = await session.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []

    async def publish(self, keyring: Keyring, purpose: Purpose) -> DataKey:
        key = await keyring.make(purpose)
        async with self.database.cluster(ADMIN) as cluster, cluster.write() as connection:
            assert await data_keys.publish(connection, key)
        return key

    async def activate(self, key: DataKey) -> bool:
        async with self.database.cluster(ADMIN) as cluster, cluster.write() as connection:
            return await data_keys.activate(connection, key.id, key.purpose)

    async def stored(self) -> list[dict[str, Any]]:
        return await self.execute("SELECT * FROM docshard.data_keys ORDER BY created_at")


@pytest.fixture
async def keys(global_db: Database, tmp_path: Path) -> AsyncIterator[Keys]:
    create_key_file(tmp_path / "key")
    async with Wire(global_db.address).up() as wire:
        cluster = Cluster("global", [wire.address], global_db.login(), PoolLimits())
        async with cluster:
            provider = FailingProvider(LocalFileProvider(tmp_path / "key"))
            yield Keys(global_db, cluster, wire, provider)


async def test_every_purpose_has_its_own_key(keys: Keys) -> None:
    keyring = await keys.loaded()
    held = [keyring.current(purpose) for purpose in Purpose]
    assert len({key.secret for key in held}) == len(Purpose)
    stored = await keys.stored()
    assert not any(key.secret in row["wrapped"] for key in held for row in stored)
    assert not any(repr(key.secret) in repr(key) for key in held)


async def test_processes_that_start_together_agree(keys: Keys) -> None:
    """Each with connections of its own, as the application role."""
    async with AsyncExitStack() as stack:
        rings = [
            Keyring(
                GlobalKeyStore(await stack.enter_async_context(keys.database.cluster(APP))),
                keys.provider,
            )
            for _ in range(6)
        ]
        await asyncio.gather(*(ring.load() for ring in rings))
    assert len(await keys.stored()) == len(Purpose)
    for purpose in Purpose:
        assert len({ring.current(purpose).secret for ring in rings}) == 1


async def test_after_loading_nothing_is_asked_any_more(keys: Keys) -> None:
    keyring = await keys.loaded()
    key = keyring.current(Purpose.TOKEN_SIGNING)
    keys.wire.cut()
    keys.provider.away = True
    assert await keyring.find(key.id) == key
    with pytest.raises(KeysUnavailable):
        await keyring.refresh()
    assert keyring.current(Purpose.TOKEN_SIGNING) == key


async def test_a_key_made_elsewhere_is_found_and_old_ones_stay(keys: Keys) -> None:
    ours = await keys.loaded()
    old = ours.current(Purpose.JWT_SIGNING)
    await keys.execute(RETIRE, Purpose.JWT_SIGNING)
    theirs = await keys.loaded()
    new = theirs.current(Purpose.JWT_SIGNING)
    assert new.id != old.id

    keys.clock.now += 2
    assert await ours.find(new.id) == new
    assert ours.current(Purpose.JWT_SIGNING) == new
    assert [key.id for key in ours.held(Purpose.JWT_SIGNING)] == [new.id, old.id]
    retired = await theirs.find(old.id)
    assert retired is not None
    assert retired.retired_at is not None
    assert retired.secret == old.secret


async def test_a_flood_of_unknown_ids_costs_one_look(keys: Keys) -> None:
    keyring = await keys.loaded()
    keys.clock.now += 2
    before = keys.wire.count(b"FROM docshard.data_keys")
    assert set(await asyncio.gather(*(keyring.find(uuid4()) for _ in range(100)))) == {None}
    assert keys.wire.count(b"FROM docshard.data_keys") == before + 1


async def test_an_unknown_id_while_the_store_is_away_is_not_called_wrong(keys: Keys) -> None:
    keyring = await keys.loaded()
    keys.clock.now += 2
    keys.wire.cut()
    with pytest.raises(KeysUnavailable):
        await keyring.find(uuid4())


async def test_when_the_store_is_back_nothing_has_to_be_restarted(keys: Keys) -> None:
    keyring = await keys.loaded()
    keys.wire.cut()
    with pytest.raises(KeysUnavailable):
        await keyring.refresh()
    keys.wire.mend()

    async def back() -> bool:
        return keys.cluster.available

    await until(back)
    await keyring.refresh()


async def test_without_the_provider_nothing_starts(keys: Keys) -> None:
    await keys.loaded()
    keys.provider.away = True
    with pytest.raises(KeysUnavailable):
        await keys.loaded()


async def test_a_key_moved_to_another_purpose_does_not_open(keys: Keys) -> None:
    await keys.loaded()
    await keys.execute("DROP INDEX docshard.idx_data_keys_active")
    await keys.execute(SWAP)
    with pytest.raises(KeysUnavailable):
        await keys.loaded()


async def test_keys_of_another_provider_and_of_newer_releases_are_left_alone(keys: Keys) -> None:
    keyring = await keys.loaded()
    await keys.execute(STRANGE)
    await keyring.refresh()
    assert len(keyring.held(Purpose.FIELD_ENCRYPTION)) == 1
    (foreign,) = [row["id"] for row in await keys.stored() if row["provider"] == "elsewhere"]
    with pytest.raises(KeysUnavailable) as refusal:
        await keyring.find(foreign)
    assert "elsewhere" in str(refusal.value.__cause__)


async def test_a_published_key_opens_and_makes_nothing_until_it_is_in_use(keys: Keys) -> None:
    ours = await keys.loaded()
    old = ours.current(Purpose.FIELD_ENCRYPTION)
    key = await keys.publish(ours, Purpose.FIELD_ENCRYPTION)
    await ours.load()
    assert ours.current(Purpose.FIELD_ENCRYPTION) == old
    published = await ours.find(key.id)
    assert published is not None
    assert published.published

    assert await keys.activate(key)
    await ours.load()
    assert ours.current(Purpose.FIELD_ENCRYPTION).id == key.id
    assert not await keys.activate(key)
    assert len(await keys.stored()) == len(Purpose) + 1


async def test_one_key_of_a_purpose_waits_and_one_is_in_use(keys: Keys) -> None:
    keyring = await keys.loaded()
    await keys.publish(keyring, Purpose.JWT_SIGNING)
    another = await keyring.make(Purpose.JWT_SIGNING)
    async with keys.database.cluster(ADMIN) as cluster, cluster.write() as connection:
        assert not await data_keys.publish(connection, another)
        assert not await data_keys.insert(connection, another)


async def test_a_key_that_cannot_be_fetched_is_not_called_unknown(keys: Keys) -> None:
    """A value behind it is not broken, and must not be taken for that."""
    ours = await keys.loaded()
    key = await keys.publish(ours, Purpose.FIELD_ENCRYPTION)
    keys.provider.away, keys.clock.now = True, 2
    with pytest.raises(KeysUnavailable) as refusal:
        await ours.find(key.id)
    assert str(refusal.value.__cause__) == "away"
    assert "away" not in refusal.value.detail
    assert ours.current(Purpose.FIELD_ENCRYPTION)

    keys.provider.away, keys.clock.now = False, 4
    assert await ours.find(key.id) is not None


async def test_an_absent_provider_is_asked_once_for_all_keys(keys: Keys) -> None:
    """Each question may cost its time-out."""
    await keys.loaded()
    keys.provider.away, keys.provider.asked = True, 0
    with pytest.raises(KeysUnavailable) as refusal:
        await keys.loaded()
    assert keys.provider.asked == 1
    assert str(refusal.value.__cause__) == "away"


async def test_fields_open_after_a_rotation(keys: Keys) -> None:
    place = FieldPlace("users", "email", uuid4())
    sealed = Fields(await keys.loaded()).seal(place, "Zoë@example.org")
    await keys.execute(RETIRE, Purpose.FIELD_ENCRYPTION)
    fields = Fields(await keys.loaded())
    assert await fields.unseal(place, sealed) == "Zoë@example.org"
    with pytest.raises(SealBroken):
        await fields.unseal(replace(place, row_id=uuid4()), sealed)
    assert fields.email_index("zoë@EXAMPLE.org") == fields.email_index("Zoë@example.org")
    assert fields.mobile_index("+49 30 1234567") == fields.mobile_index("+49301234567")

"""The keyring: keys made once, unwrapped once, held through outages, found after rotations."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from global_db.data_keys import DataKey
from services.errors import KeysUnavailable
from services.keys.fields import FieldPlace, Fields, SealBroken
from services.keys.keyring import Keyring
from services.keys.local_file import LocalFileProvider, create_key_file
from services.keys.material import Purpose
from services.keys.provider import KeyProvider, KeyProviderUnavailable


class MemoryStore:
    """Keeps rows by the rule of the table's unique index."""

    def __init__(self) -> None:
        self.rows: list[DataKey] = []
        self.reads = 0
        self.away = False

    async def all_keys(self) -> Sequence[DataKey]:
        await asyncio.sleep(0)
        self._answer()
        self.reads += 1
        return list(self.rows)

    async def insert(self, key: DataKey) -> bool:
        await asyncio.sleep(0)
        self._answer()
        if any(row.purpose == key.purpose and row.retired_at is None for row in self.rows):
            return False
        now = datetime.now(UTC)
        self.rows.append(replace(key, created_at=now, activated_at=now))
        return True

    def publish(self, key: DataKey) -> None:
        self.rows.append(replace(key, created_at=datetime.now(UTC)))

    def activate(self, key_id: UUID, purpose: Purpose) -> None:
        self.retire(purpose)
        now = datetime.now(UTC)
        self.rows = [
            replace(row, activated_at=now, retired_at=None) if row.id == key_id else row
            for row in self.rows
        ]

    def retire(self, purpose: Purpose) -> None:
        now = datetime.now(UTC) - timedelta(seconds=1)
        self.rows = [
            replace(row, retired_at=now) if row.purpose == purpose else row for row in self.rows
        ]

    def _answer(self) -> None:
        if self.away:
            raise KeysUnavailable


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


@pytest.fixture
def provider(tmp_path: Path) -> FailingProvider:
    create_key_file(tmp_path / "key")
    return FailingProvider(LocalFileProvider(tmp_path / "key"))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


async def loaded(store: MemoryStore, provider: KeyProvider, clock: Clock | None = None) -> Keyring:
    keyring = Keyring(store, provider, clock or Clock())
    await keyring.load()
    return keyring


async def test_every_purpose_has_its_own_key(store: MemoryStore, provider: KeyProvider) -> None:
    keyring = await loaded(store, provider)
    keys = [keyring.current(purpose) for purpose in Purpose]
    assert len({key.secret for key in keys}) == len(Purpose)
    assert not any(key.secret in row.wrapped for key in keys for row in store.rows)
    assert not any(repr(key.secret) in repr(key) for key in keys)


async def test_processes_that_start_together_agree(
    store: MemoryStore, provider: KeyProvider
) -> None:
    rings = await asyncio.gather(*(loaded(store, provider) for _ in range(8)))
    assert len(store.rows) == len(Purpose)
    for purpose in Purpose:
        assert len({ring.current(purpose).secret for ring in rings}) == 1


async def test_after_loading_nothing_is_asked_any_more(
    store: MemoryStore, provider: FailingProvider
) -> None:
    keyring = await loaded(store, provider)
    key = keyring.current(Purpose.TOKEN_SIGNING)
    store.away = provider.away = True
    assert await keyring.find(key.id) == key
    with pytest.raises(KeysUnavailable):
        await keyring.refresh()
    assert keyring.current(Purpose.TOKEN_SIGNING) == key


async def test_a_key_made_elsewhere_is_found_and_old_ones_stay(
    store: MemoryStore, provider: KeyProvider
) -> None:
    clock = Clock()
    ours = await loaded(store, provider, clock)
    old = ours.current(Purpose.JWT_SIGNING)
    store.retire(Purpose.JWT_SIGNING)
    theirs = await loaded(store, provider)
    new = theirs.current(Purpose.JWT_SIGNING)
    assert new.id != old.id

    clock.now += 2
    assert await ours.find(new.id) == new
    assert ours.current(Purpose.JWT_SIGNING) == new
    assert [key.id for key in ours.held(Purpose.JWT_SIGNING)] == [new.id, old.id]
    retired = await theirs.find(old.id)
    assert retired is not None
    assert retired.retired_at is not None
    assert retired.secret == old.secret


async def test_a_flood_of_unknown_ids_costs_one_look(
    store: MemoryStore, provider: KeyProvider
) -> None:
    clock = Clock()
    keyring = await loaded(store, provider, clock)
    clock.now += 2
    before = store.reads
    assert set(await asyncio.gather(*(keyring.find(uuid4()) for _ in range(100)))) == {None}
    assert store.reads == before + 1


async def test_an_unknown_id_while_the_store_is_away_is_not_called_wrong(
    store: MemoryStore, provider: KeyProvider
) -> None:
    clock = Clock()
    keyring = await loaded(store, provider, clock)
    clock.now, store.away = 2, True
    with pytest.raises(KeysUnavailable):
        await keyring.find(uuid4())


async def test_without_the_provider_nothing_starts(
    store: MemoryStore, provider: FailingProvider
) -> None:
    await loaded(store, provider)
    provider.away = True
    with pytest.raises(KeysUnavailable):
        await loaded(store, provider)


async def test_a_key_moved_to_another_purpose_does_not_open(
    store: MemoryStore, provider: KeyProvider
) -> None:
    await loaded(store, provider)
    swapped = {"jwt_signing": "token_signing", "token_signing": "jwt_signing"}
    store.rows = [replace(row, purpose=swapped.get(row.purpose, row.purpose)) for row in store.rows]
    with pytest.raises(KeysUnavailable):
        await loaded(store, provider)


async def test_keys_of_another_provider_and_of_newer_releases_are_left_alone(
    store: MemoryStore, provider: KeyProvider
) -> None:
    keyring = await loaded(store, provider)
    moment = datetime.now(UTC)
    store.rows += [
        DataKey(uuid4(), "not_invented_yet", "local-file", b"x", moment),
        DataKey(foreign := uuid4(), "field_encryption", "elsewhere", b"x", moment, moment, moment),
    ]
    await keyring.refresh()
    assert len(keyring.held(Purpose.FIELD_ENCRYPTION)) == 1
    with pytest.raises(KeysUnavailable) as refusal:
        await keyring.find(foreign)
    assert "elsewhere" in str(refusal.value.__cause__)


async def test_a_published_key_opens_and_makes_nothing_until_it_is_in_use(
    store: MemoryStore, provider: KeyProvider
) -> None:
    ours = await loaded(store, provider)
    old = ours.current(Purpose.FIELD_ENCRYPTION)
    key = await ours.make(Purpose.FIELD_ENCRYPTION)
    store.publish(key)
    await ours.refresh()
    assert ours.current(Purpose.FIELD_ENCRYPTION) == old
    published = await ours.find(key.id)
    assert published is not None
    assert published.published

    store.activate(key.id, Purpose.FIELD_ENCRYPTION)
    await ours.refresh()
    assert ours.current(Purpose.FIELD_ENCRYPTION).id == key.id
    await ours.load()
    assert [row.id for row in store.rows if row.purpose == old.purpose] == [old.id, key.id]


async def test_a_key_that_cannot_be_fetched_is_not_called_unknown(
    store: MemoryStore, provider: FailingProvider
) -> None:
    """The value of a user is behind it: it is not broken, and must not be taken for that."""
    clock = Clock()
    ours, theirs = [await loaded(store, provider, clock) for _ in range(2)]
    key = await theirs.make(Purpose.FIELD_ENCRYPTION)
    store.publish(key)
    provider.away, clock.now = True, 2
    with pytest.raises(KeysUnavailable) as refusal:
        await ours.find(key.id)
    assert str(refusal.value.__cause__) == "away"
    assert "away" not in refusal.value.detail
    assert ours.current(Purpose.FIELD_ENCRYPTION)

    provider.away, clock.now = False, 4
    assert await ours.find(key.id) is not None


async def test_an_absent_provider_is_asked_once_for_all_keys(
    store: MemoryStore, provider: FailingProvider
) -> None:
    """Each question may cost its time-out."""
    await loaded(store, provider)
    provider.away, provider.asked = True, 0
    with pytest.raises(KeysUnavailable) as refusal:
        await loaded(store, provider)
    assert provider.asked == 1
    assert str(refusal.value.__cause__) == "away"


async def test_fields_open_after_a_rotation(store: MemoryStore, provider: KeyProvider) -> None:
    place = FieldPlace("users", "email", uuid4())
    sealed = Fields(await loaded(store, provider)).seal(place, "Zoë@example.org")
    store.retire(Purpose.FIELD_ENCRYPTION)
    fields = Fields(await loaded(store, provider))
    assert await fields.unseal(place, sealed) == "Zoë@example.org"
    with pytest.raises(SealBroken):
        await fields.unseal(replace(place, row_id=uuid4()), sealed)
    assert fields.email_index("zoë@EXAMPLE.org") == fields.email_index("Zoë@example.org")
    assert fields.mobile_index("+49 30 1234567") == fields.mobile_index("+49301234567")

"""The data keys that there are, what each has sealed, and their wrapping by another provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from global_db import data_keys, sealed_values
from global_db.data_keys import DataKey
from services.audit import Event, record_global
from services.errors import KeysUnavailable
from services.failures import global_failures
from services.fleet.key_rotation import only_one
from services.identity.principal import Origin
from services.keys.keyring import key_context
from services.keys.material import Purpose
from services.keys.provider import KeyProvider, KeyProviderError
from services.keys.rotation_plan import values_by_key
from services.resources import Data

State = Literal["published", "in use", "retired"]


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A data key without its bytes. `values`: how many it seals; None where it seals none."""

    id: UUID
    purpose: str
    state: State
    provider: str
    created_at: datetime | None
    activated_at: datetime | None
    retired_at: datetime | None
    values: int | None


@dataclass(frozen=True, slots=True)
class Rewrap:
    """Wrap by `target` what `source` has wrapped. Both may be one, whose own key was rotated."""

    source: KeyProvider
    target: KeyProvider
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What a run did: keys wrapped anew, and keys that another run had changed meanwhile."""

    done: tuple[UUID, ...]
    overtaken: tuple[UUID, ...]


async def list_keys(data: Data) -> list[KnownKey]:
    """Every data key, by purpose, newest first."""
    with global_failures():
        async with data.global_db.read() as connection:
            keys = await data_keys.all_keys(connection)
            values = values_by_key(await sealed_values.counts(connection))
    newest_first = sorted(keys, key=lambda key: key.id, reverse=True)
    ordered = sorted(newest_first, key=lambda key: key.purpose)
    return [_known(key, values.get(key.id, 0)) for key in ordered]


async def wrapped_by(data: Data, provider: str) -> list[DataKey]:
    """The keys that this provider has wrapped."""
    with global_failures():
        async with data.global_db.read() as connection:
            return [key for key in await data_keys.all_keys(connection) if key.provider == provider]


async def rewrap(data: Data, work: Rewrap) -> Rewrapped:
    """Wrap keys anew, each in a transaction of its own; running it again goes on.

    The keys themselves stay, and so does every value: processes that hold them notice nothing.

    Raises:
        KeysUnavailable: a provider refuses or does not answer; its cause says why.
        Busy: another command changes data keys.
    """
    done: list[UUID] = []
    overtaken: list[UUID] = []
    async with only_one(data):
        for key in await wrapped_by(data, work.source.name):
            wrapped = await _wrapped_anew(key, work)
            changed = await _store(data, key, wrapped, work)
            (done if changed else overtaken).append(key.id)
    return Rewrapped(tuple(done), tuple(overtaken))


async def _wrapped_anew(key: DataKey, work: Rewrap) -> bytes:
    context = key_context(key.id, key.purpose)
    try:
        secret = await work.source.unwrap(key.wrapped, context)
        wrapped = await work.target.wrap(secret, context)
        # The old wrapping goes away: whoever takes its place has to open first.
        opened = await work.target.unwrap(wrapped, context)
    except KeyProviderError as error:
        raise KeysUnavailable(f"Key {key.id} cannot be wrapped anew.") from error
    if opened != secret:
        raise KeysUnavailable(f"{work.target.name} does not give back what it was given.")
    return wrapped


async def _store(data: Data, key: DataKey, wrapped: bytes, work: Rewrap) -> bool:
    async with data.global_db.write() as connection:
        if not await data_keys.rewrap(connection, key, work.target.name, wrapped):
            return False
        before, after = {"provider": key.provider}, {"provider": work.target.name}
        event = Event("key.rewrap", "data_key", key.id, before, after)
        await record_global(connection, Origin(reason=work.reason), event)
    return True


def _known(key: DataKey, values: int) -> KnownKey:
    return KnownKey(
        id=key.id,
        purpose=key.purpose,
        state=_state(key),
        provider=key.provider,
        created_at=key.created_at,
        activated_at=key.activated_at,
        retired_at=key.retired_at,
        values=values if key.purpose == Purpose.FIELD_ENCRYPTION else None,
    )


def _state(key: DataKey) -> State:
    if key.activated_at is None:
        return "published"
    return "in use" if key.retired_at is None else "retired"

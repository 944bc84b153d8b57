"""Data keys for tests of pure parts: made here, held in memory."""

import secrets
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.keys.material import KeyMaterial, Purpose


def new_key(purpose: Purpose, retired_at: datetime | None = None) -> KeyMaterial:
    return KeyMaterial(
        uuid_utils.uuid7(), purpose, secrets.token_bytes(32), datetime.now(UTC), retired_at
    )


class HeldKeys:
    """The keys given, the newest of a purpose first."""

    def __init__(self, *keys: KeyMaterial) -> None:
        self.keys = list(keys)

    def current(self, purpose: Purpose) -> KeyMaterial:
        return self.held(purpose)[0]

    def held(self, purpose: Purpose) -> tuple[KeyMaterial, ...]:
        return tuple(key for key in self.keys if key.purpose is purpose)

    async def find(self, key_id: UUID) -> KeyMaterial | None:
        return next((key for key in self.keys if key.id == key_id), None)

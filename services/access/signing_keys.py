"""The keys of this service, and how the one that signs access tokens is changed.

Nobody waits for it: the new key is published at once and signs nothing until every worker, and
whoever reads the JWKS, has had the time to learn it. The old key signs until then, and verifies
until the last token that it signed has expired.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from global_db import data_keys
from global_db.data_keys import DataKey
from services.audit import Event, record_global
from services.errors import Conflict
from services.failures import global_failures
from services.identity.principal import Origin
from services.keys.material import Purpose
from services.resources import Data, Resources

__all__ = ["DataKey", "Rotation", "list_keys", "plan_jwt_rotation", "rotate_jwt"]

PUBLISHED_AHEAD = timedelta(minutes=2)
"""Workers look for keys every 5 s, and readers of the JWKS may keep it for 60 s; the rest allows
for clocks that differ."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What changes and when: `old` signs until `switches_at`, `new` from then on."""

    old: UUID
    new: UUID | None
    switches_at: datetime


async def list_keys(data: Data) -> list[DataKey]:
    """Every data key without its secret, newest first."""
    with global_failures():
        async with data.global_db.read() as connection:
            return sorted(
                await data_keys.all_keys(connection), key=lambda key: key.id, reverse=True
            )


async def plan_jwt_rotation(data: Data) -> Rotation:
    """What `rotate_jwt` would do now.

    Raises:
        Conflict: as `rotate_jwt` would.
    """
    keys = [key for key in await list_keys(data) if key.purpose == Purpose.JWT_SIGNING]
    now = datetime.now(UTC)
    if any(key.retired_at is not None and key.retired_at > now for key in keys):
        raise Conflict("A rotation is under way: the new key does not sign yet.")
    active = next((key for key in keys if key.retired_at is None), None)
    if active is None:
        raise Conflict("There is no key to replace: no router has run yet.")
    return Rotation(active.id, None, now + PUBLISHED_AHEAD)


async def rotate_jwt(resources: Resources, reason: str | None = None) -> Rotation:
    """Publish a new key for access tokens, and say when the old one retires.

    Raises:
        Conflict: a rotation is under way, or another one was faster.
        KeysUnavailable: the key provider does not wrap the new key.
    """
    planned = await plan_jwt_rotation(resources.data)
    new = await resources.secrets.keyring.make(Purpose.JWT_SIGNING)
    with global_failures():
        async with resources.data.global_db.write() as connection:
            retires_at = await data_keys.retire(connection, planned.old, PUBLISHED_AHEAD)
            if retires_at is None or not await data_keys.insert(connection, new):
                raise Conflict("Another rotation was faster.")
            event = Event(
                "key.rotate",
                "data_key",
                new.id,
                {"key_id": planned.old},
                {"key_id": new.id, "switches_at": retires_at},
            )
            await record_global(connection, Origin(reason=reason), event)
    return Rotation(planned.old, new.id, retires_at)

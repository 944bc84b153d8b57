"""The key that signs access tokens, changed without anybody being logged out.

The new key stands in the JWKS before it signs: workers look for keys every few seconds, and readers
of the JWKS may keep it for a minute. The old one stays in the JWKS, and verifies, until the last
token that it signed has expired (`services.identity.tokens`).
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from global_db import data_keys
from services.failures import global_failures
from services.fleet.key_rotation import only_one
from services.fleet.key_succession import Succession
from services.keys.keyring import REFRESH_SECONDS, Keyring
from services.keys.material import Purpose
from services.resources import Data

JWKS_SECONDS = 60
"""How long readers may keep the JWKS (its Cache-Control)."""
SETTLE_SECONDS = JWKS_SECONDS + 3 * REFRESH_SECONDS

_PURPOSE = Purpose.JWT_SIGNING


@dataclass(frozen=True, slots=True)
class JwtPlan:
    """The key in use, and one that waits since an interrupted rotation."""

    in_use: UUID | None
    published: UUID | None

    def steps(self, settle_seconds: float) -> list[str]:
        """The steps in order, for a person."""
        made = f"key {self.published}, which waits already"
        if self.published is None:
            made = "the new key"
        steps = [] if self.published else ["make a key for access tokens, publish it in the JWKS"]
        return [
            *steps,
            f"wait {settle_seconds:g} s, so that everybody knows {made}",
            f"sign with {made} and retire key {self.in_use}, which verifies until its last token"
            " has expired",
        ]


async def look(data: Data) -> JwtPlan:
    """What a rotation would do now."""
    with global_failures():
        async with data.global_db.read() as connection:
            keys = [key for key in await data_keys.all_keys(connection) if key.purpose == _PURPOSE]
    return JwtPlan(
        next((key.id for key in keys if key.activated_at and not key.retired_at), None),
        next((key.id for key in keys if key.activated_at is None), None),
    )


async def rotate_jwt(
    data: Data,
    keyring: Keyring,
    reason: str | None = None,
    settle_seconds: float = SETTLE_SECONDS,
) -> UUID:
    """Rotate, or go on where an earlier run was interrupted; answers the key in use from now on.

    Raises:
        Busy: another command changes keys.
        KeysUnavailable, DirectoryUnavailable, OutcomeUnknown: run again.
    """
    async with only_one(data):
        plan = await look(data)
        succession = Succession(data, keyring, _PURPOSE, settle_seconds, reason)
        with global_failures():
            return await succession.confirm(await succession.run(plan.published, plan.in_use))

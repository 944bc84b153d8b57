"""The keys that sign access tokens and heads of audit chains, changed while everybody works on.

A new key for access tokens stands in the JWKS before it signs: workers look for keys every few
seconds, and readers of the JWKS may keep it for a minute. The old one stays in the JWKS, and
verifies, until the last token that it signed has expired (`services.identity.tokens`). A key for
heads goes on verifying what it signed for as long as there are heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from global_db import data_keys
from services.failures import global_failures
from services.fleet.key_rotation import SETTLE_SECONDS, only_one
from services.fleet.key_succession import Succession
from services.keys.keyring import REFRESH_SECONDS, Keyring
from services.keys.material import Purpose
from services.resources import Data

JWKS_SECONDS = 60
"""How long readers may keep the JWKS (its Cache-Control)."""


@dataclass(frozen=True, slots=True)
class Signing:
    """What a key signs, how long everybody takes to hear of a new one, and where that is told;
    and until when the old one verifies."""

    purpose: Purpose
    what: str
    settle_seconds: float
    published: str
    until: str


SIGNINGS: Final[Mapping[str, Signing]] = {
    "jwt": Signing(
        Purpose.JWT_SIGNING,
        what="access tokens",
        settle_seconds=JWKS_SECONDS + 3 * REFRESH_SECONDS,
        published="publish it in the JWKS",
        until="until its last token has expired",
    ),
    "heads": Signing(
        Purpose.AUDIT_HEADS,
        what="heads of audit chains",
        settle_seconds=SETTLE_SECONDS,
        published="publish it",
        until="what it signed, for ever",
    ),
}


@dataclass(frozen=True, slots=True)
class SigningPlan:
    """The key in use, and one that waits since an interrupted rotation."""

    signing: Signing
    in_use: UUID | None
    published: UUID | None

    def steps(self, settle_seconds: float) -> list[str]:
        """The steps in order, for a person."""
        signing, made = self.signing, f"key {self.published}, which waits already"
        if self.published is None:
            made = "the new key"
        make = f"make a key for {signing.what}, {signing.published}"
        return [
            *([] if self.published else [make]),
            f"wait {settle_seconds:g} s, so that everybody knows {made}",
            f"sign with {made} and retire key {self.in_use}, which verifies {signing.until}",
        ]


async def look(data: Data, signing: Signing) -> SigningPlan:
    """What a rotation would do now."""
    with global_failures():
        async with data.global_db.read() as connection:
            every = await data_keys.all_keys(connection)
    keys = [key for key in every if key.purpose == signing.purpose]
    return SigningPlan(
        signing,
        next((key.id for key in keys if key.activated_at and not key.retired_at), None),
        next((key.id for key in keys if key.activated_at is None), None),
    )


async def rotate(
    data: Data,
    keyring: Keyring,
    signing: Signing,
    reason: str | None = None,
    settle_seconds: float | None = None,
) -> UUID:
    """Rotate, or go on where an earlier run was interrupted; answers the key in use from now on.

    Raises:
        Busy: another command changes keys.
        KeysUnavailable, DirectoryUnavailable, OutcomeUnknown: run again.
    """
    settle = signing.settle_seconds if settle_seconds is None else settle_seconds
    async with only_one(data):
        plan = await look(data, signing)
        succession = Succession(data, keyring, signing.purpose, settle, reason)
        with global_failures():
            return await succession.confirm(await succession.run(plan.published, plan.in_use))

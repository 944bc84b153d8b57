"""One-time codes by time: TOTP (RFC 6238) as authenticator apps know it.

SHA-1, six digits, steps of 30 seconds: what the apps assume, whatever a URI says. A code of the
step before or after is taken too, for clocks that are a little off. That a code works once is the
caller's affair: it remembers the step that `matching_step` gives.
"""

from __future__ import annotations

import hmac
import re

import pyotp

STEP_SECONDS = 30
DRIFT_STEPS = 1

_CODE = re.compile(r"[0-9]{6}")
_SPACES = re.compile(r"[\s-]")
_SECRET_CHARACTERS = 32  # of base32: 160 bits, RFC 4226's recommendation


def new_secret() -> str:
    """A new secret, in base32."""
    return pyotp.random_base32(_SECRET_CHARACTERS)


def uri(secret: str, account: str, issuer: str) -> str:
    """What an authenticator app scans: an otpauth:// address with the secret in it."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def matching_step(secret: str, code: str, now: float) -> int | None:
    """The step (30 s since 1970) that this code belongs to; None when it fits none near `now`.

    `now` is in seconds since 1970. Spaces and hyphens in the code do not count.
    """
    digits = _SPACES.sub("", code)
    if not _CODE.fullmatch(digits):
        return None
    present = int(now) // STEP_SECONDS
    generator = pyotp.HOTP(secret)
    near = range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1)
    # All are compared, so that the time taken does not tell which one was close.
    fitting = [step for step in near if hmac.compare_digest(generator.at(step), digits)]
    return max(fitting, default=None)

"""Recovery codes: the way in when the device with the second factor is lost. Each works once.

A code has 80 random bits, so a digest without a slow hash keeps it: there is nothing to guess.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from uuid import UUID

NUMBER = 10

_BYTES = 10
_GROUP = 4
_CODE = re.compile(r"[A-Z2-7]{16}")
_SEPARATORS = re.compile(r"[\s-]")


def generate() -> tuple[str, ...]:
    """New codes, as their owner writes them down: `XXXX-XXXX-XXXX-XXXX`."""
    return tuple(_grouped(secrets.token_bytes(_BYTES)) for _ in range(NUMBER))


def digest(user_id: UUID, code: str) -> bytes | None:
    """What is kept of a user's code: 32 bytes; None when it cannot be one.

    Case, spaces and hyphens do not count.
    """
    canonical = _SEPARATORS.sub("", code).upper()
    if not _CODE.fullmatch(canonical):
        return None
    return hashlib.sha256(user_id.bytes + canonical.encode()).digest()


def _grouped(raw: bytes) -> str:
    text = base64.b32encode(raw).decode()
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))

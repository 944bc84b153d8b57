"""Opaque tokens for people: 256 random bits behind a prefix that says what they are for.

`dsr_…` refreshes a session, `dsl_…` sets a password once. They are kept as SHA-256: a slow hash
defends weak secrets, and these are none.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from services.keys.material import KeyMaterial

REFRESH = "dsr_"
LINK = "dsl_"

_BYTES = 32
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class OpaqueToken:
    """A well-formed token: the text that only its owner keeps, and what we keep of it."""

    text: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What is stored and looked up: 32 bytes."""
        return hashlib.sha256(self.text.encode()).digest()


def generate(prefix: str) -> OpaqueToken:
    """A new token of this kind."""
    return _of(prefix, secrets.token_bytes(_BYTES))


def parse(prefix: str, text: str) -> OpaqueToken | None:
    """Read a token; None when it cannot be one of this kind."""
    if not (text.startswith(prefix) and _SECRET.fullmatch(text[len(prefix) :])):
        return None
    return OpaqueToken(text)


def successor(key: KeyMaterial, token: OpaqueToken) -> OpaqueToken:
    """The refresh token that follows this one.

    It is computed and not drawn, so that an answer that was lost can be given again without its
    secret having been kept. Nobody foretells it without the key.
    """
    return _of(REFRESH, hmac.digest(key.secret, b"successor of " + token.text.encode(), "sha256"))


def _of(prefix: str, secret: bytes) -> OpaqueToken:
    return OpaqueToken(prefix + base64.urlsafe_b64encode(secret).rstrip(b"=").decode())

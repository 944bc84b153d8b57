"""API keys for machines: how one looks. `dsk_` | 43 characters of secret | 6 of checksum.

The checksum (CRC-32, like GitHub's) is no secret: it lets a typo or a cut key be refused without
a look at the database, and scanners tell a real key from noise. The secret has 256 bits, so a
single SHA-256 is enough to store it by; a slow hash defends weak secrets, and this is none.
"""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

PREFIX = "dsk_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_CHARACTERS = 43  # 62^43 is just above 2^256
_CHECKSUM_CHARACTERS = 6  # 62^6 is just above 2^32
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_CHARACTERS + _CHECKSUM_CHARACTERS}}}")


@dataclass(frozen=True, slots=True)
class ApiKeyText:
    """A well-formed key: the text that only its owner keeps, and what we keep of it."""

    text: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What is stored and looked up: SHA-256 of the text, 32 bytes."""
        return digest_of(self.text)


def digest_of(text: str) -> bytes:
    """SHA-256 of a credential, whether it is well-formed or not."""
    return hashlib.sha256(text.encode()).digest()


def generate() -> ApiKeyText:
    """Make a new random key."""
    body = PREFIX + _base62(secrets.randbits(256), _SECRET_CHARACTERS)
    return ApiKeyText(body + _checksum(body))


def looks_like_one(text: str) -> bool:
    """Whether a bearer credential is meant to be an API key."""
    return text.startswith(PREFIX)


def parse(text: str) -> ApiKeyText | None:
    """Read a key; None when it cannot be one. A well-formed key may still be unknown or revoked."""
    if not _SHAPE.fullmatch(text):
        return None
    body, checksum = text[:-_CHECKSUM_CHARACTERS], text[-_CHECKSUM_CHARACTERS:]
    return ApiKeyText(text) if checksum == _checksum(body) else None


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_CHARACTERS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))

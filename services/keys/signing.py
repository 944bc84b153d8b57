"""Opaque values that we hand out and must recognise: signed, readable, not secret.

    base64url of: format version, 1 byte | key id, 16 bytes | HMAC-SHA-256, 32 bytes | payload

The context (what the value is, and what it is bound to) goes into the signature and not into the
value, so that a value for one use is nothing in another.
"""

import base64
import binascii
import hmac
from typing import Protocol
from uuid import UUID

from services.keys.material import KeyMaterial, Purpose

MAX_CHARACTERS = 4096

_FORMAT = 1
_HEADER_BYTES = 17
_MAC_BYTES = 32


class BadSignature(Exception):
    """The value is not one that we gave out for this context."""


class SigningKeys(Protocol):
    """Where keys come from: `services.keys.keyring.Keyring`."""

    def current(self, purpose: Purpose) -> KeyMaterial:
        """The key that makes new values."""

    async def find(self, key_id: UUID) -> KeyMaterial | None:
        """A key of any age."""


class Signer:
    """Signs with the newest token key and recognises what any of them signed."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    def sign(self, context: bytes, payload: bytes) -> str:
        """Make the opaque value, in characters that are safe in addresses and headers."""
        return sign(self._keys.current(Purpose.TOKEN_SIGNING), context, payload)

    async def unsign(self, context: bytes, text: str) -> bytes:
        """Give the payload.

        Raises:
            BadSignature.
            KeysUnavailable: it was signed with a key that cannot be fetched at present.
        """
        raw = _decode(text)
        key = await self._keys.find(UUID(bytes=raw[1:_HEADER_BYTES]))
        if key is None or key.purpose is not Purpose.TOKEN_SIGNING:
            raise BadSignature("signed with an unknown key")
        return _verified(key, context, raw)


def sign(key: KeyMaterial, context: bytes, payload: bytes) -> str:
    """Make the opaque value with this key."""
    header = bytes([_FORMAT]) + key.id.bytes
    raw = header + _mac(key, context, header, payload) + payload
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsign(key: KeyMaterial, context: bytes, text: str) -> bytes:
    """Give the payload of a value signed with this key.

    Raises:
        BadSignature.
    """
    return _verified(key, context, _decode(text))


def _verified(key: KeyMaterial, context: bytes, raw: bytes) -> bytes:
    header, mac = raw[:_HEADER_BYTES], raw[_HEADER_BYTES : _HEADER_BYTES + _MAC_BYTES]
    payload = raw[_HEADER_BYTES + _MAC_BYTES :]
    if not hmac.compare_digest(mac, _mac(key, context, header, payload)):
        raise BadSignature("the signature does not fit")
    return payload


def _decode(text: str) -> bytes:
    if len(text) > MAX_CHARACTERS:
        raise BadSignature("too long")
    try:
        given = text.encode("ascii")
        raw = base64.b64decode(given + b"=" * (-len(given) % 4), b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadSignature("not base64url") from error
    # The last character may carry bits that decoding drops: one value, one spelling.
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != given:
        raise BadSignature("not canonical base64url")
    if len(raw) < _HEADER_BYTES + _MAC_BYTES or raw[0] != _FORMAT:
        raise BadSignature("not a signed value")
    return raw


def _mac(key: KeyMaterial, context: bytes, header: bytes, payload: bytes) -> bytes:
    # Lengths come first, so that no part can borrow bytes from the next.
    framed = len(context).to_bytes(4, "big") + context + header + payload
    return hmac.digest(key.secret, framed, "sha256")

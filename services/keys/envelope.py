"""One encrypted field: AES-256-GCM that says which key it needs and where it belongs.

    format version, 1 byte | key id, 16 bytes | nonce, 12 bytes | ciphertext and 16-byte tag

The place (table, column, row id) is authenticated: a value copied to another row or column does
not open. Nonces are random; 96 bits allow about 4 billion values under one key before a collision
becomes likelier than 2^-32 (NIST SP 800-38D, 8.3), far beyond the number of users.
"""

import os
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.keys.material import KeyMaterial

_FORMAT = 1
_KEY_ID = slice(1, 17)
_NONCE = slice(17, 29)
_HEADER_BYTES = 29
_TAG_BYTES = 16


class SealBroken(Exception):
    """The value does not open: damaged, moved from its place, or sealed with another key."""


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """Where an encrypted value belongs."""

    table: str
    column: str
    row_id: UUID

    def authenticated(self) -> bytes:
        """The place as AES-GCM's additional data. Names hold no `|`, so it is unambiguous."""
        return f"{self.table}|{self.column}|{self.row_id}".encode()


def seal(key: KeyMaterial, place: FieldPlace, plain: bytes) -> bytes:
    """Encrypt a value for its place, each time differently."""
    nonce = os.urandom(12)
    header = bytes([_FORMAT]) + key.id.bytes + nonce
    return header + AESGCM(key.secret).encrypt(nonce, plain, place.authenticated())


def key_id(sealed: bytes) -> UUID:
    """Which key opens this value.

    Raises:
        SealBroken: this is no sealed value.
    """
    if len(sealed) < _HEADER_BYTES + _TAG_BYTES or sealed[0] != _FORMAT:
        raise SealBroken("not a sealed value of a known format")
    return UUID(bytes=bytes(sealed[_KEY_ID]))


def unseal(key: KeyMaterial, place: FieldPlace, sealed: bytes) -> bytes:
    """Decrypt a value.

    Raises:
        SealBroken.
    """
    if key_id(sealed) != key.id:
        raise SealBroken("sealed with another key")
    try:
        return AESGCM(key.secret).decrypt(
            sealed[_NONCE], sealed[_HEADER_BYTES:], place.authenticated()
        )
    except InvalidTag as error:
        raise SealBroken("the value is damaged or was moved from its place") from error

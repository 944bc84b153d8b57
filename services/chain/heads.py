"""Signed heads: who holds a head can tell later whether the chain up to it was touched.

Ed25519, so that anyone verifies with the public key; a key of a purpose of its own, so that nothing
else that we sign can pass for a head. A retired key goes on verifying what it signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from global_db import audit_heads
from global_db.audit_heads import GLOBAL_CHAIN, Head
from global_db.chain import Tip
from services.chain.walk import Fault, Finding
from services.failures import global_failures
from services.keys.keyring import Keyring
from services.keys.material import KeyMaterial, Purpose
from services.resources import Data

__all__ = ["GLOBAL_CHAIN", "Head", "Heads", "Tip", "is_genuine", "load", "public_key", "sign"]

_TAG: Final = b"docshard:audit-head:1"


def sign(key: KeyMaterial, client_id: UUID, tip: Tip, now: datetime) -> Head:
    """Vouch for a chain up to its newest link."""
    message = _message(client_id, tip.seq, tip.chain_hash, now)
    signature = Ed25519PrivateKey.from_private_bytes(key.secret).sign(message)
    return Head(client_id, tip.seq, tip.chain_hash, now, key.id, signature)


def is_genuine(head: Head, public: bytes) -> bool:
    """Whether the holder of the key to this public key signed the head."""
    message = _message(head.client_id, head.seq, head.chain_hash, head.signed_at)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(head.signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _message(client_id: UUID, seq: int, chain_hash: bytes, signed_at: datetime) -> bytes:
    # Whole microseconds since 1970, as the database keeps them; every part has a fixed length.
    at = signed_at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (at.days * 86_400 + at.seconds) * 1_000_000 + at.microseconds
    return b"".join(
        (_TAG, client_id.bytes, seq.to_bytes(8, "big"), chain_hash, microseconds.to_bytes(8, "big"))
    )


async def public_key(keyring: Keyring, key_id: UUID) -> bytes | None:
    """The public half of a key for heads; None when there is no such key.

    Raises:
        KeysUnavailable.
    """
    key = await keyring.find(key_id)
    if key is None or key.purpose is not Purpose.AUDIT_HEADS:
        return None
    return Ed25519PrivateKey.from_private_bytes(key.secret).public_key().public_bytes_raw()


@dataclass(frozen=True, slots=True)
class Heads:
    """A chain's genuine heads by seq, and what is wrong with the others."""

    by_seq: Mapping[int, Head]
    forged: tuple[Finding, ...] = ()

    @property
    def newest(self) -> Head | None:
        """The head that covers most."""
        return self.by_seq[max(self.by_seq)] if self.by_seq else None

    def covering(self, seq: int) -> Head | None:
        """The earliest head that covers the chain up to `seq`."""
        later = [at for at in self.by_seq if at >= seq]
        return self.by_seq[min(later)] if later else None


async def load(data: Data, keyring: Keyring, client_id: UUID) -> Heads:
    """Every head of a chain, each checked against its key.

    Raises:
        DirectoryUnavailable, KeysUnavailable.
    """
    with global_failures():
        async with data.global_db.read() as connection:
            kept = await audit_heads.of_chain(connection, client_id)
    genuine, forged = {}, []
    for head in kept:
        public = await public_key(keyring, head.kid)
        if public is not None and is_genuine(head, public):
            genuine[head.seq] = head
        else:
            forged.append(Finding(head.seq, Fault.FORGED_HEAD))
    return Heads(genuine, tuple(forged))

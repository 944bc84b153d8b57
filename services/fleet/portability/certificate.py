"""The certificate of an erasure: what was removed, what stays and why, signed.

It is signed with the key of the audit heads: whoever got an export or a copy of his log has its
public half already, retired keys go on verifying, and it is the key with which a fleet vouches for
a client's history. The tag before what is signed keeps a certificate from passing for a head, and
a head for a certificate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.keys.material import KeyMaterial

FORMAT: Final = "docshard-erasure-certificate"
_TAG: Final = b"docshard:erasure:1\n"


class NotACertificate(Exception):
    """The file is no certificate that this program can read; the message says why."""


def sign(key: KeyMaterial, statement: Mapping[str, Any]) -> dict[str, Any]:
    """The certificate of a statement, which holds texts, numbers, lists and objects alone."""
    private = Ed25519PrivateKey.from_private_bytes(key.secret)
    return {
        "format": FORMAT,
        "version": 1,
        "statement": dict(statement),
        "signature": {
            "algorithm": "Ed25519",
            "kid": str(key.id),
            "public_key": private.public_key().public_bytes_raw().hex(),
            "value": private.sign(_signed(statement)).hex(),
        },
    }


def faults(certificate: Mapping[str, Any], public_key: bytes | None = None) -> list[str]:
    """What is wrong with a certificate. Without a key from elsewhere its own is believed.

    Raises:
        NotACertificate.
    """
    if (certificate.get("format"), certificate.get("version")) != (FORMAT, 1):
        raise NotACertificate(f"It is not of format {FORMAT} 1.")
    try:
        told = certificate["signature"]
        shown, value = bytes.fromhex(told["public_key"]), bytes.fromhex(told["value"])
        statement = certificate["statement"]
        found = []
        if public_key is not None and public_key != shown:
            found.append("it was signed with another key than the one given")
        Ed25519PublicKey.from_public_bytes(shown).verify(value, _signed(statement))
    except InvalidSignature:
        found.append("its statement is not what was signed")
    except (KeyError, TypeError, ValueError) as error:
        raise NotACertificate(f"It is garbled: {error!r}") from error
    return found


def _signed(statement: Mapping[str, Any]) -> bytes:
    """The tag and a line's end, then the statement as compact JSON with sorted names, in UTF-8."""
    return _TAG + orjson.dumps(statement, option=orjson.OPT_SORT_KEYS)

"""A key provider for development: AES-256-GCM with a key in a file beside the program.

Whoever reads the file reads every field, so production refuses it (see `services.settings`).
"""

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.keys.provider import KeyProviderError, canonical

_FORMAT = b"\x01"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class KeyFileError(KeyProviderError):
    """The key file is absent, readable by others, or holds no key."""


def create_key_file(path: Path) -> None:
    """Write a new random key to `path`, readable by its owner only.

    It appears whole or not at all.

    Raises:
        FileExistsError: something is there; a key is never overwritten.
    """
    text = base64.b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n"
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(scratch)
    finally:
        scratch.unlink()


def read_key_file(path: Path) -> bytes:
    """Read the key.

    Raises:
        KeyFileError: with what to do about it.
    """
    try:
        # One open file for both looks: a path could be exchanged between them.
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(256)
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise KeyFileError(f"others may read the key file {path} (mode {mode:04o}): chmod 600 it")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise KeyFileError(f"the key file {path} is not base64") from error
    if len(key) != _KEY_BYTES:
        raise KeyFileError(f"the key file {path} holds {len(key)} bytes, not {_KEY_BYTES}")
    return key


class LocalFileProvider:
    """`KeyProvider` over a key file, which is read once, when this is made."""

    name = "local-file"

    def __init__(self, path: Path) -> None:
        self._cipher = AESGCM(read_key_file(path))

    async def wrap(self, plain: bytes, context: Mapping[str, str]) -> bytes:
        """Encrypt a data key."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plain, canonical(context))

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Decrypt a data key.

        Raises:
            KeyProviderError: not wrapped by this file's key for this context.
        """
        if wrapped[:1] != _FORMAT:
            raise KeyProviderError("the wrapped key has an unknown format")
        nonce, sealed = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, sealed, canonical(context))
        except (InvalidTag, ValueError) as error:
            raise KeyProviderError(
                "the data key does not open: it was wrapped by another key file, for another "
                "purpose, or is damaged"
            ) from error

"""Passwords: argon2id, off the event loop, with the same work for known and unknown accounts."""

import base64
import os
import unicodedata

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from services.errors import InvalidRequest
from services.identity.common_passwords import is_common
from services.threads import BoundedThreads

MIN_CHARACTERS = 12
MAX_BYTES = 1024

_MIN_NAME_CHARACTERS = 4  # of a shorter one a random password may well hold the letters

# OWASP's first choice for argon2id. Memory is in KiB: 46 MiB for each hash at work.
_MEMORY_KIB = 47104
_PASSES = 1
_LANES = 1
_SALT_BYTES = 16
_HASH_BYTES = 32


def check_policy(password: str, pointer: str = "/password", *, email: str | None = None) -> None:
    """Refuse a new password that is too short, too long, too common or its owner's own name.

    There is no rule of composition. `email` is the owner's address, where it is known.

    Raises:
        InvalidRequest: at `pointer`, saying what is asked.
    """
    prepared = _prepare(password)
    if prepared is None:
        raise InvalidRequest.at(
            pointer, f"A password is Unicode text of at most {MAX_BYTES} bytes."
        )
    if len(prepared.decode()) < MIN_CHARACTERS:
        raise InvalidRequest.at(pointer, f"A password has at least {MIN_CHARACTERS} characters.")
    if is_common(prepared.decode()):
        raise InvalidRequest.at(pointer, "This password is among the first that guessers try.")
    if email is not None and _holds_name(prepared.decode(), email):
        raise InvalidRequest.at(pointer, "A password does not hold the name in the e-mail address.")


def _holds_name(password: str, email: str) -> bool:
    name = unicodedata.normalize("NFKC", email).casefold().rpartition("@")[0].strip()
    return len(name) >= _MIN_NAME_CHARACTERS and name in password.casefold()


class Passwords:
    """Hashes and verifies passwords, `threads` at a time."""

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._threads = BoundedThreads("passwords", threads, max_waiting)
        self._hasher = PasswordHasher(
            time_cost=_PASSES,
            memory_cost=_MEMORY_KIB,
            parallelism=_LANES,
            hash_len=_HASH_BYTES,
            salt_len=_SALT_BYTES,
            type=Type.ID,
        )
        self._nobodys = _hash_that_fits_nothing()

    async def hash(self, password: str) -> str:
        """Hash a password that passed `check_policy`, as an encoded argon2id string.

        Raises:
            InvalidRequest: too long, or not Unicode text.
            Overloaded: too many passwords wait.
        """
        prepared = _prepare(password)
        if prepared is None:
            raise InvalidRequest.at("/password", "The password is too long.")
        return await self._threads.run(self._hasher.hash, prepared)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password fits. Without a `stored` hash it never does, after the same work.

        A password longer than any can be is wrong at once; that says nothing about the account.

        Raises:
            Overloaded: too many passwords wait.
        """
        prepared = _prepare(password)
        if prepared is None:
            return False
        fits = await self._threads.run(self._fits, stored or self._nobodys, prepared)
        return fits and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored` was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """End the threads."""
        self._threads.close()

    def _fits(self, stored: str, prepared: bytes) -> bool:
        try:
            return self._hasher.verify(stored, prepared)
        except (VerificationError, InvalidHashError):
            return False


def _prepare(password: str) -> bytes | None:
    """Give the bytes to hash: NFKC, as keyboards spell one character in several ways."""
    # The length is looked at first: normalising megabytes is work, too.
    if len(password) > MAX_BYTES:
        return None
    try:
        prepared = unicodedata.normalize("NFKC", password).encode()
    except UnicodeEncodeError:
        return None
    return prepared if len(prepared) <= MAX_BYTES else None


def _hash_that_fits_nothing() -> str:
    """Give a well-formed hash with today's parameters that no known password has."""
    salt, digest = (
        base64.b64encode(os.urandom(size)).rstrip(b"=").decode()
        for size in (_SALT_BYTES, _HASH_BYTES)
    )
    return f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}${salt}${digest}"

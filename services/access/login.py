"""Logging in: e-mail address, password and, where one is set up, a second factor.

Nothing in an answer or its time tells whether an account exists: an unknown address is counted,
hashed and written to the audit log like a known one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from global_db import accounts
from global_db.accounts import Account
from global_db.connection import WriteConnection
from services.access import attempts
from services.access.attempts import Attempt
from services.access.second_factor import evidence, spend
from services.access.sessions import Tokens, open_session
from services.audit import Event, record_global
from services.errors import Busy, InvalidCredentials, MfaRequired, Overloaded
from services.failures import global_failures
from services.identity.principal import Caller, Origin, Principal
from services.resources import Resources

_NOBODY = UUID(int=0)
_INDEX_PREFIX_BYTES = 4  # enough to see that failures belong together, too little to try addresses


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a person gives. Of the two second factors the one-time code goes first."""

    email: str
    password: str = field(repr=False)
    totp: str | None = field(default=None, repr=False)
    recovery_code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An attempt that was counted, and whom it is at."""

    attempt: Attempt
    account: Account | None

    @property
    def password_hash(self) -> str | None:
        """What the password must fit; None for nobody, after the same work."""
        if self.account is None or not self.account.is_active:
            return None
        return self.account.password_hash


async def log_in(resources: Resources, given: Credentials, origin: Origin) -> Tokens:
    """Open a session.

    Raises:
        InvalidCredentials: whatever is wrong.
        MfaRequired: the password is right, and no code came with it.
        TooManyRequests: too soon after failures; a right password is refused as well.
        Busy: the password changed at this very moment.
        Overloaded, DirectoryUnavailable.
    """
    opened = await _open(resources, given.email, origin)
    rehashed = await _verified(resources, opened, given.password)
    if opened.account is None or rehashed is None:
        await _note_failure(resources, opened, origin, "password")
        raise InvalidCredentials
    try:
        tokens = await _enter(resources, opened, rehashed, given, origin)
    except MfaRequired:
        # Asking for the code is half of a login and no failure of the network it comes from. The
        # account counts it until the code has come: guessers of codes know the password.
        await attempts.take_back(resources, Attempt(None, opened.attempt.address))
        raise
    if tokens is None:
        await _note_failure(resources, opened, origin, "second factor")
        raise InvalidCredentials
    return tokens


async def _open(resources: Resources, email: str, origin: Origin) -> _Opened:
    try:
        index = resources.secrets.fields.email_index(email)
    except ValueError:
        index = None  # not an address, so nobody's: answered like an unknown one
    attempt = attempts.attempt_at(index, origin)
    with global_failures():
        async with resources.data.global_db.write() as connection:
            await attempts.charge(resources, connection, attempt)
            account = None if index is None else await accounts.by_email(connection, index)
    return _Opened(attempt, account)


async def _verified(resources: Resources, opened: _Opened, password: str) -> str | None:
    """Give the hash to keep from now on, when the password fits; else None."""
    passwords, stored = resources.secrets.passwords, opened.password_hash
    try:
        fits = await passwords.verify(stored, password)
        if not fits or stored is None:
            return None
        return await passwords.hash(password) if passwords.needs_rehash(stored) else stored
    except Overloaded:
        await attempts.take_back(resources, opened.attempt)
        raise


async def _enter(
    resources: Resources, opened: _Opened, rehashed: str, given: Credentials, origin: Origin
) -> Tokens | None:
    """Open the session; None: the second factor is wrong, or the user was disabled meanwhile.

    Raises:
        Busy: the password changed since it was verified.
        MfaRequired.
    """
    known = opened.account
    if known is None:
        return None
    caller = Caller(Principal(known.id, None, ()), origin)
    with global_failures():
        async with resources.data.global_db.write() as connection:
            present = await accounts.lock(connection, known.id)
            if present is None or not present.is_active:
                return None
            if present.password_hash != known.password_hash:
                # Changed by its owner, or hashed anew by another login of this moment.
                raise Busy("The account is being changed: log in again.")
            proof = await evidence(resources, present, given.totp, given.recovery_code)
            if proof is None or not await spend(connection, known.id, proof):
                return None
            await attempts.succeed(connection, opened.attempt)
            await _renew(connection, known, rehashed)
            session_id, tokens = await open_session(resources, connection, known.id, origin)
            after = {"session_id": session_id, "second_factor": proof.kind}
            event = Event("auth.login", "user", known.id, None, after)
            await record_global(connection, caller, event)
    return tokens


async def _renew(connection: WriteConnection, known: Account, rehashed: str) -> None:
    if rehashed != known.password_hash:
        await accounts.set_password(connection, known.id, rehashed)


async def _note_failure(resources: Resources, opened: _Opened, origin: Origin, factor: str) -> None:
    """Write the failure down; of the address only the beginning of its blind index."""
    counted = opened.attempt.account
    prefix = None if counted is None else counted.subject_hash[:_INDEX_PREFIX_BYTES].hex()
    user_id = _NOBODY if opened.account is None else opened.account.id
    event = Event(
        "auth.login_failed", "user", user_id, None, {"email_index": prefix, "factor": factor}
    )
    with global_failures():
        async with resources.data.global_db.write() as connection:
            await record_global(connection, origin, event)

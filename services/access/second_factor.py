"""The second factor: one-time codes of an authenticator app, and recovery codes for its loss."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import UUID

from global_db import accounts, sessions
from global_db.accounts import Account
from global_db.connection import WriteConnection
from services.access.admission import OwnAccess
from services.access.sessions import demand_recent_login
from services.audit import Event, record_global
from services.errors import Conflict, InvalidRequest, MfaRequired, NotFound
from services.failures import global_failures
from services.identity import recovery_codes, totp
from services.keys.envelope import FieldPlace
from services.resources import Resources


@dataclass(frozen=True, slots=True)
class Evidence:
    """A second factor that looks right; whether it is still unused `spend` finds out."""

    step: int | None = None
    recovery_digest: bytes | None = field(default=None, repr=False)

    @property
    def kind(self) -> str | None:
        """What it is, for the audit log; None where no second factor is set up."""
        if self.step is not None:
            return "totp"
        return None if self.recovery_digest is None else "recovery_code"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A secret to put into an authenticator app, as text and as the address that apps scan."""

    secret: str = field(repr=False)
    otpauth_uri: str = field(repr=False)


async def evidence(
    resources: Resources, account: Account, code: str | None, recovery_code: str | None
) -> Evidence | None:
    """Look at the second factor that was given; None: it is wrong.

    Raises:
        MfaRequired: one is set up, and none was given.
    """
    if account.mfa_secret is None:
        return Evidence()
    if code is not None:
        secret = await resources.secrets.fields.unseal(_secret_of(account.id), account.mfa_secret)
        step = totp.matching_step(secret, code, time.time())
        return None if step is None else Evidence(step=step)
    if recovery_code is not None:
        digest = recovery_codes.digest(account.id, recovery_code)
        return None if digest is None else Evidence(recovery_digest=digest)
    raise MfaRequired


async def spend(connection: WriteConnection, user_id: UUID, proof: Evidence) -> bool:
    """Use the second factor up; False when it was used before, or is none of the user's."""
    if proof.step is not None:
        return await accounts.accept_step(connection, user_id, proof.step)
    if proof.recovery_digest is not None:
        return await accounts.use_recovery_code(connection, user_id, proof.recovery_digest)
    return True


async def enrol(resources: Resources, access: OwnAccess) -> Enrolment:
    """Make a secret; it counts once `confirm` has seen a code of it. Doing it again starts anew.

    Raises:
        LoginTooOld.
        Conflict: a second factor is in force.
    """
    demand_recent_login(resources, access)
    fields, user_id = resources.secrets.fields, access.user_id
    account = await _account(resources, user_id)
    email = await fields.unseal(FieldPlace("users", "email", user_id), account.email)
    secret = totp.new_secret()
    with global_failures():
        async with resources.data.global_db.write() as connection:
            present = await accounts.lock(connection, user_id)
            if present is None or present.mfa_secret is not None:
                raise Conflict("A second factor is set up already: remove it first.")
            await accounts.set_pending(
                connection, user_id, fields.seal(_pending_of(user_id), secret)
            )
            await _note(connection, access, "auth.mfa_enrol")
    return Enrolment(secret, totp.uri(secret, email, resources.settings.issuer))


async def confirm(resources: Resources, access: OwnAccess, code: str) -> tuple[str, ...]:
    """Put the enrolled secret in force; answers the recovery codes, this once.

    Other sessions end: they were opened without the second factor.

    Raises:
        Conflict: nothing was enrolled.
        InvalidRequest: the code does not fit.
    """
    fields, user_id = resources.secrets.fields, access.user_id
    codes = recovery_codes.generate()
    digests = [one for code in codes if (one := recovery_codes.digest(user_id, code)) is not None]
    with global_failures():
        async with resources.data.global_db.write() as connection:
            present = await accounts.lock(connection, user_id)
            if present is None or present.mfa_pending is None:
                raise Conflict("No second factor waits to be confirmed: enrol first.")
            secret = await fields.unseal(_pending_of(user_id), present.mfa_pending)
            step = totp.matching_step(secret, code, time.time())
            if step is None:
                raise InvalidRequest.at(
                    "/totp", "The code does not fit: look at the clock of the device."
                )
            sealed = fields.seal(_secret_of(user_id), secret)
            await accounts.enable_second_factor(connection, user_id, sealed, step)
            await accounts.replace_recovery_codes(connection, user_id, digests)
            await sessions.revoke_others(connection, user_id, access.session.id)
            await _note(connection, access, "auth.mfa_enable")
    # What the caller may do can depend on it.
    resources.forget_user(user_id)
    return codes


async def remove(resources: Resources, access: OwnAccess) -> None:
    """Remove the second factor and the recovery codes.

    A recent login is proof of the factor itself, for nobody logs in without it.

    Raises:
        LoginTooOld.
        NotFound: none is set up.
    """
    demand_recent_login(resources, access)
    with global_failures():
        async with resources.data.global_db.write() as connection:
            present = await accounts.lock(connection, access.user_id)
            if present is None or present.mfa_secret is None:
                raise NotFound("No second factor is set up.")
            await accounts.disable_second_factor(connection, access.user_id)
            await _note(connection, access, "auth.mfa_disable")
    resources.forget_user(access.user_id)


async def _account(resources: Resources, user_id: UUID) -> Account:
    with global_failures():
        async with resources.data.global_db.read() as connection:
            account = await accounts.get(connection, user_id)
    if account is None:
        raise NotFound
    return account


async def _note(connection: WriteConnection, access: OwnAccess, action: str) -> None:
    await record_global(connection, access.caller, Event(action, "user", access.user_id))


def _secret_of(user_id: UUID) -> FieldPlace:
    return FieldPlace("users", "mfa_secret", user_id)


def _pending_of(user_id: UUID) -> FieldPlace:
    return FieldPlace("users", "mfa_pending", user_id)

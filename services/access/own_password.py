"""Changing one's own password."""

from __future__ import annotations

from uuid import UUID

from global_db import accounts, password_links, sessions
from global_db.accounts import Account
from global_db.connection import WriteConnection
from services.access import attempts
from services.access.admission import OwnAccess
from services.access.attempts import Attempt
from services.audit import Event, record_global
from services.errors import InvalidCredentials, Overloaded
from services.failures import global_failures
from services.identity.passwords import check_policy
from services.keys.envelope import FieldPlace
from services.resources import Resources


async def change(resources: Resources, access: OwnAccess, current: str, new: str) -> None:
    """Replace the password; every other session of the user ends.

    Guesses at the present password count like failed logins.

    Raises:
        InvalidCredentials: the present password is wrong.
        InvalidRequest: the new one is refused by the policy.
        TooManyRequests, Overloaded.
    """
    account = await _account(resources, access.user_id)
    place = FieldPlace("users", "email", account.id)
    email = await resources.secrets.fields.unseal(place, account.email)
    check_policy(new, "/new_password", email=email)
    attempt = attempts.attempt_at(account.email_index, access.caller.origin)
    with global_failures():
        async with resources.data.global_db.write() as connection:
            await attempts.charge(resources, connection, attempt)
    hashed = await _exchanged(resources, attempt, account.password_hash, (current, new))
    with global_failures():
        async with resources.data.global_db.write() as connection:
            present = await accounts.lock(connection, account.id)
            if present is None or present.password_hash != account.password_hash:
                raise InvalidCredentials("The password was changed meanwhile.")
            await attempts.succeed(connection, attempt)
            await _set(connection, access, hashed)
    resources.forget_user(account.id)


async def _account(resources: Resources, user_id: UUID) -> Account:
    with global_failures():
        async with resources.data.global_db.read() as connection:
            account = await accounts.get(connection, user_id)
    if account is None:
        raise InvalidCredentials
    return account


async def _exchanged(
    resources: Resources, attempt: Attempt, stored: str | None, texts: tuple[str, str]
) -> str:
    """Give the hash of the new password, if the present one (first of `texts`) fits."""
    passwords, (current, new) = resources.secrets.passwords, texts
    try:
        if not await passwords.verify(stored, current):
            raise InvalidCredentials("The present password is wrong.")
        return await passwords.hash(new)
    except Overloaded:
        await attempts.take_back(resources, attempt)
        raise


async def _set(connection: WriteConnection, access: OwnAccess, hashed: str) -> None:
    user_id = access.user_id
    await accounts.set_password(connection, user_id, hashed)
    await password_links.drop_unused(connection, user_id)
    ended = await sessions.revoke_others(connection, user_id, access.session.id)
    after = {"sessions_ended": len(ended)}
    event = Event("auth.password_change", "user", user_id, None, after)
    await record_global(connection, access.caller, event)

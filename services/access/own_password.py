"""Changing one's own password."""

from __future__ import annotations

from global_db import accounts, password_links, sessions
from services.access import attempts
from services.access.admission import OwnAccess
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
    user_id, passwords = access.user_id, resources.secrets.passwords
    with global_failures():
        async with resources.data.global_db.read() as reading:
            account = await accounts.get(reading, user_id)
    if account is None:
        raise InvalidCredentials
    place = FieldPlace("users", "email", user_id)
    email = await resources.secrets.fields.unseal(place, account.email)
    check_policy(new, "/new_password", email=email)
    attempt = attempts.attempt_at(account.email_index, access.caller.origin)
    with global_failures():
        async with resources.data.global_db.write() as connection:
            await attempts.charge(resources, connection, attempt)
    try:
        fits = await passwords.verify(account.password_hash, current)
        hashed = await passwords.hash(new) if fits else None
    except Overloaded:
        await attempts.take_back(resources, attempt)
        raise
    if hashed is None:
        raise InvalidCredentials("The present password is wrong.")
    with global_failures():
        async with resources.data.global_db.write() as connection:
            present = await accounts.lock(connection, user_id)
            if present is None or present.password_hash != account.password_hash:
                raise InvalidCredentials("The password was changed meanwhile.")
            await accounts.set_password(connection, user_id, hashed)
            await attempts.succeed(connection, attempt)
            await password_links.drop_unused(connection, user_id)
            ended = await sessions.revoke_others(connection, user_id, access.session.id)
            after = {"sessions_ended": len(ended)}
            event = Event("auth.password_change", "user", user_id, None, after)
            await record_global(connection, access.caller, event)
    resources.forget_user(user_id)

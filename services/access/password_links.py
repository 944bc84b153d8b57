"""One-time links for a first or a forgotten password.

An administrator makes one and hands it over. It sets a password and opens no session, so whoever
has a second factor still needs it to log in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import TypeAdapter

from global_db import accounts, identities, sessions
from global_db import password_links as links
from global_db.accounts import Account
from global_db.connection import WriteConnection
from global_db.identities import Grant
from services.access import attempts
from services.access.admission import GlobalAccess
from services.audit import Event, record_global
from services.errors import Forbidden, NotFound, SecretAlreadyShown, Unauthenticated
from services.failures import global_failures
from services.idempotency import key_for, once_in_global
from services.identity import opaque_tokens
from services.identity.opaque_tokens import OpaqueToken
from services.identity.passwords import check_policy
from services.identity.principal import Caller, Origin, Principal
from services.ids import new_id
from services.keys.envelope import FieldPlace
from services.resources import Resources


@dataclass(frozen=True, slots=True)
class Link:
    """What may be told of a link again."""

    id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ShownLink:
    """A new link's token: shown this once, stored only as a hash."""

    token: str = field(repr=False)
    expires_at: datetime


_LINK: TypeAdapter[Link] = TypeAdapter(Link)


async def make(
    resources: Resources, access: GlobalAccess, user_id: UUID, key: str | None = None
) -> ShownLink:
    """Make a link for a user in place of an earlier one that was not used.

    Who makes a link could use it, so it is made only for users who may do no more than its maker.

    Raises:
        NotFound: there is no such living user.
        Forbidden: the user may do what the caller may not.
        SecretAlreadyShown: the Idempotency-Key has made its link before.
    """
    principal, token = access.caller.principal, opaque_tokens.generate(opaque_tokens.LINK)
    once = key_for(principal, key, "create_password_link", [user_id])
    lifetime = timedelta(hours=resources.settings.sessions.password_link_hours)
    row = links.NewLink(new_id(), user_id, token.digest, principal.user_id)
    with global_failures():
        async with resources.data.global_db.write() as connection:

            async def effect() -> Link:
                if await accounts.lock(connection, user_id) is None:
                    raise NotFound
                _demand_no_less(principal, await identities.grants(connection, user_id))
                expires_at = await links.put(connection, row, lifetime)
                event = Event(
                    "auth.password_link", "user", user_id, None, {"expires_at": expires_at}
                )
                await record_global(connection, access.caller, event)
                return Link(row.id, expires_at)

            link, replayed = await once_in_global(connection, once, _LINK, effect)
    if replayed:
        raise SecretAlreadyShown
    return ShownLink(token.text, link.expires_at)


async def redeem(resources: Resources, text: str, password: str, origin: Origin) -> None:
    """Set a password by a link, which is used up; every session of the user ends.

    Raises:
        Unauthenticated: the link is unknown, used or too old.
        InvalidRequest: the password is refused by the policy; the link stays good.
    """
    token = opaque_tokens.parse(opaque_tokens.LINK, text)
    account = None if token is None else await _owner(resources, token)
    if token is None or account is None:
        raise _refused()
    place = FieldPlace("users", "email", account.id)
    check_policy(password, email=await resources.secrets.fields.unseal(place, account.email))
    hashed = await resources.secrets.passwords.hash(password)
    with global_failures():
        async with resources.data.global_db.write() as connection:
            present = await accounts.lock(connection, account.id)
            if present is None or not await links.use(connection, token.digest):
                raise _refused()
            await _set(connection, present, hashed, origin)
    resources.forget_user(account.id)


async def _owner(resources: Resources, token: OpaqueToken) -> Account | None:
    with global_failures():
        async with resources.data.global_db.read() as connection:
            user_id = await links.owner(connection, token.digest)
            return None if user_id is None else await accounts.get(connection, user_id)


async def _set(connection: WriteConnection, account: Account, hashed: str, origin: Origin) -> None:
    await accounts.set_password(connection, account.id, hashed)
    # Whoever locked the account out by guessing must not keep its owner from the new password.
    await attempts.succeed(connection, attempts.attempt_at(account.email_index, Origin()))
    ended = await sessions.revoke_others(connection, account.id)
    event = Event(
        "auth.password_change",
        "user",
        account.id,
        None,
        {"by": "password_link", "sessions_ended": len(ended)},
    )
    await record_global(connection, Caller(Principal(account.id, None, ()), origin), event)


def _demand_no_less(maker: Principal, grants: tuple[Grant, ...]) -> None:
    beyond = (
        permission
        for grant in grants
        for permission in grant.permissions
        if not maker.may(permission, grant.client_id)
    )
    if next(beyond, None) is not None:
        raise Forbidden("The user may do what you may not.")


def _refused() -> Unauthenticated:
    return Unauthenticated("The link is unknown, was used or is too old: ask for another one.")

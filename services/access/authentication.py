"""Who is it? Passwords, access tokens and API keys become a `Principal`.

A verified principal is remembered for a lease of seconds: what is revoked or disabled is out
everywhere when the lease ends.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from global_db import api_keys, identities
from global_db.connection import ReadConnection
from global_db.identities import Grant
from services.audit import Event, record_global
from services.errors import InvalidCredentials, Unauthenticated
from services.failures import global_failures
from services.identity.key_text import looks_like_one, parse
from services.identity.principal import Caller, Origin, Principal
from services.resources import Resources

__all__ = ["Login", "authenticate", "log_in"]


@dataclass(frozen=True, slots=True)
class Login:
    """A new session. `expires_in` is in seconds."""

    access_token: str
    expires_in: int


async def log_in(resources: Resources, email: str, password: str, origin: Origin) -> Login:
    """Prove who one is by password.

    Unknown address, wrong password and disabled account cost the same time and answer the same.

    Raises:
        InvalidCredentials, Overloaded, DirectoryUnavailable.
    """
    account = await _account(resources, email)
    stored = None if account is None or not account.is_active else account.password_hash
    fits = await resources.secrets.passwords.verify(stored, password)
    if account is None or not fits:
        raise InvalidCredentials
    await _remember_login(resources, account.id, origin)
    tokens = resources.secrets.access_tokens
    return Login(tokens.issue(account.id), tokens.lifetime_seconds)


async def authenticate(resources: Resources, bearer: str) -> Principal:
    """The principal behind `Authorization: Bearer …`.

    Raises:
        Unauthenticated, DirectoryUnavailable, KeysUnavailable.
    """
    if looks_like_one(bearer):
        return await _by_api_key(resources, bearer)
    token = await resources.secrets.access_tokens.verify(bearer)
    return await _by_user(resources, token.user_id)


async def _account(resources: Resources, email: str) -> identities.Account | None:
    try:
        index = resources.secrets.fields.email_index(email)
    except ValueError:
        return None  # not an address, so nobody's: answered like an unknown one
    with global_failures():
        async with resources.data.global_db.read() as connection:
            return await identities.account(connection, index)


async def _remember_login(resources: Resources, user_id: UUID, origin: Origin) -> None:
    caller = Caller(Principal(user_id, None, ()), origin)
    with global_failures():
        async with resources.data.global_db.write() as connection:
            await record_global(connection, caller, Event("auth.login", "user", user_id))


async def _by_api_key(resources: Resources, text: str) -> Principal:
    key = parse(text)
    if key is None:
        raise Unauthenticated
    digest = key.digest
    known = resources.principals.get(digest)
    if known is not None:
        return known
    with global_failures():
        async with resources.data.global_db.read() as connection:
            found = await api_keys.by_hash(connection, digest)
    if found is None:
        raise Unauthenticated
    grant = Grant("api_key", found.client_id, frozenset(found.scopes))
    principal = Principal(found.created_by, found.id, (grant,))
    expires_at = None if found.expires_at is None else found.expires_at.timestamp()
    _remember(resources, digest, principal, expires_at)
    return principal


async def _by_user(resources: Resources, user_id: UUID) -> Principal:
    known = resources.principals.get(user_id)
    if known is not None:
        return known
    with global_failures():
        async with resources.data.global_db.read() as connection:
            principal = await _user(connection, user_id)
    _remember(resources, user_id, principal)
    return principal


async def _user(connection: ReadConnection, user_id: UUID) -> Principal:
    if await identities.sealed_email(connection, user_id) is None:
        raise Unauthenticated
    return Principal(user_id, None, await identities.grants(connection, user_id))


def _remember(
    resources: Resources,
    key: bytes | UUID,
    principal: Principal,
    expires_at: float | None = None,
) -> None:
    lease_ends = time.time() + resources.settings.timing.principal_lease_seconds
    resources.principals.put(
        key, principal, lease_ends if expires_at is None else min(lease_ends, expires_at)
    )

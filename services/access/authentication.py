"""Who is it? Access tokens and API keys become a `Principal`.

A verified principal is remembered for a lease of seconds: what is revoked or disabled, and a
session that has ended, is out everywhere when the lease ends. Only while the global database cannot
be asked is who was verified before trusted for longer, and for a bounded time. An access token ends
by its own date even then, and an API key by its.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from math import inf
from uuid import UUID

from global_db import api_keys, identities, sessions
from global_db.connection import ReadConnection
from global_db.identities import Grant
from services.errors import DirectoryUnavailable, Unauthenticated
from services.failures import global_failures
from services.identity.key_text import digest_of, looks_like_one, parse
from services.identity.principal import Principal, Session
from services.identity.tokens import AccessToken
from services.resources import Resources

__all__ = ["authenticate"]

_APART_SECONDS = 60.0


async def authenticate(resources: Resources, bearer: str) -> Principal:
    """The principal behind `Authorization: Bearer …`.

    Raises:
        Unauthenticated, DirectoryUnavailable, KeysUnavailable.
    """
    if looks_like_one(bearer):
        return await _by_api_key(resources, bearer)
    return await _by_session(resources, await resources.secrets.access_tokens.verify(bearer))


async def _by_api_key(resources: Resources, text: str) -> Principal:
    digest = digest_of(text)
    return await _trusted(resources, digest, lambda: _holder(resources, text, digest))


async def _trusted(
    resources: Resources, key: bytes | UUID, ask: Callable[[], Awaitable[Principal]]
) -> Principal:
    """The principal of a key or session: by its lease, else asked for, else the one last known."""
    known = resources.principals.get(key)
    if known is not None:
        return known
    try:
        return await ask()
    except Unauthenticated:
        resources.forget_credential(key)
        raise
    except DirectoryUnavailable:
        remembered = resources.remembered.get(key)
        if remembered is None:
            raise
        return remembered


async def _holder(resources: Resources, text: str, digest: bytes) -> Principal:
    if parse(text) is None:  # nobody's, and no reason to look for it
        raise Unauthenticated
    with global_failures():
        async with resources.data.global_db.read() as connection:
            found = await api_keys.by_hash(connection, digest)
    if found is None:
        raise Unauthenticated
    grant = Grant("api_key", found.client_id, frozenset(found.scopes))
    principal = Principal(found.created_by, found.id, (grant,))
    expires_at = None if found.expires_at is None else found.expires_at.timestamp()
    _remember(resources, digest, principal, expires_at)
    resources.key_uses.note(found.id)
    return principal


async def _by_session(resources: Resources, token: AccessToken) -> Principal:
    session_id = token.session_id
    if session_id is None:
        raise Unauthenticated  # nobody could end it
    return await _trusted(resources, session_id, lambda: _logged_in(resources, session_id))


async def _logged_in(resources: Resources, session_id: UUID) -> Principal:
    with global_failures():
        async with resources.data.global_db.read() as connection:
            principal = await _person(connection, session_id)
    _remember(resources, session_id, principal)
    return principal


async def _person(connection: ReadConnection, session_id: UUID) -> Principal:
    person = await sessions.person(connection, session_id)
    if person is None:
        raise Unauthenticated("The session has ended.")
    # A login in the future was told by a clock that is right again; how old it is nobody knows.
    age = person.login_age if person.login_age > -_APART_SECONDS else inf
    session = Session(session_id, person.logged_in_at, time.monotonic() - age, person.must_enrol)
    # Who has to set up a second factor first may do nothing else: a session without grants opens
    # only what belongs to the account itself.
    grants = () if person.must_enrol else await identities.grants(connection, person.user_id)
    return Principal(person.user_id, None, grants, session)


def _remember(
    resources: Resources,
    key: bytes | UUID,
    principal: Principal,
    expires_at: float | None = None,
) -> None:
    timing, now = resources.settings.timing, time.monotonic()
    end = inf if expires_at is None else now + expires_at - time.time()
    resources.principals.put(key, principal, min(now + timing.principal_lease_seconds, end))
    resources.remembered.put(key, principal, min(now + timing.outage_seconds, end))

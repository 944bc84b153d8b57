"""Who is it? Access tokens and API keys become a `Principal`.

A verified principal is remembered for a lease of seconds: what is revoked or disabled, and a
session that has ended, is out everywhere when the lease ends.
"""

from __future__ import annotations

import time
from uuid import UUID

from global_db import api_keys, identities, sessions
from global_db.connection import ReadConnection
from global_db.identities import Grant
from services.errors import Unauthenticated
from services.failures import global_failures
from services.identity.key_text import looks_like_one, parse
from services.identity.principal import Principal, Session
from services.identity.tokens import AccessToken
from services.resources import Resources

__all__ = ["authenticate"]


async def authenticate(resources: Resources, bearer: str) -> Principal:
    """The principal behind `Authorization: Bearer …`.

    Raises:
        Unauthenticated, DirectoryUnavailable, KeysUnavailable.
    """
    if looks_like_one(bearer):
        return await _by_api_key(resources, bearer)
    return await _by_session(resources, await resources.secrets.access_tokens.verify(bearer))


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


async def _by_session(resources: Resources, token: AccessToken) -> Principal:
    if token.session_id is None:
        raise Unauthenticated  # nobody could end it
    known = resources.principals.get(token.session_id)
    if known is not None:
        return known
    with global_failures():
        async with resources.data.global_db.read() as connection:
            principal = await _person(connection, token.session_id)
    _remember(resources, token.session_id, principal)
    return principal


async def _person(connection: ReadConnection, session_id: UUID) -> Principal:
    person = await sessions.person(connection, session_id)
    if person is None:
        raise Unauthenticated("The session has ended.")
    session = Session(session_id, person.logged_in_at, person.must_enrol)
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
    lease_ends = time.time() + resources.settings.timing.principal_lease_seconds
    resources.principals.put(
        key, principal, lease_ends if expires_at is None else min(lease_ends, expires_at)
    )

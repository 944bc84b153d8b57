"""Sessions: opened by a login, carried on by refresh tokens that follow each other, ended at once.

A session is a family of refresh tokens. The access token names it (`sid`), and who authenticates by
one asks whether it goes on. Every change of a family is made by who holds its user's row.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from global_db import accounts, sessions
from global_db.connection import WriteConnection
from global_db.sessions import NewRefreshToken, RefreshToken
from services.access.admission import OwnAccess
from services.audit import Event, record_global
from services.errors import LoginTooOld, Unauthenticated
from services.failures import global_failures
from services.identity import opaque_tokens
from services.identity.opaque_tokens import OpaqueToken
from services.identity.principal import Origin
from services.ids import new_id
from services.keys.material import Purpose
from services.resources import Resources


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a person gets by logging in or refreshing.

    `expires_in` is the access token's, in seconds.
    """

    access_token: str = field(repr=False)
    expires_in: int
    refresh_token: str = field(repr=False)


async def open_session(
    resources: Resources, connection: WriteConnection, user_id: UUID, origin: Origin
) -> tuple[UUID, Tokens]:
    """Begin a session; the caller holds the user's row. Answers its id and tokens."""
    token, session_id = opaque_tokens.generate(opaque_tokens.REFRESH), new_id()
    row = NewRefreshToken(session_id, session_id, user_id, token.digest, origin.ip_address)
    lifetime = timedelta(days=resources.settings.sessions.session_days)
    await sessions.start(connection, row, lifetime)
    return session_id, _tokens(resources, user_id, session_id, token)


async def refresh(resources: Resources, text: str, origin: Origin) -> Tokens:
    """Exchange a refresh token for its successor and a new access token.

    A token that was replaced a moment ago gets the same successor again, for its answer may have
    been lost; any other replaced token was stolen by somebody, and the session ends.

    Raises:
        Unauthenticated: unknown, expired, ended or used before.
    """
    token = opaque_tokens.parse(opaque_tokens.REFRESH, text)
    if token is None:
        raise _refused()
    with global_failures():
        async with resources.data.global_db.read() as reading:
            known = await sessions.by_hash(reading, token.digest)
        if known is None:
            raise _refused()
        async with resources.data.global_db.write() as connection:
            following = await _rotated(resources, connection, token, origin, known.user_id)
    if following is None:
        resources.forget_credential(known.family_id)
        raise _refused()
    return _tokens(resources, known.user_id, known.family_id, following)


async def log_out(resources: Resources, access: OwnAccess) -> None:
    """End the caller's session; every process refuses it within the principals' lease."""
    with global_failures():
        async with resources.data.global_db.write() as connection:
            await accounts.lock(connection, access.user_id)
            if await sessions.revoke(connection, access.session.id):
                event = Event("auth.logout", "session", access.session.id)
                await record_global(connection, access.caller, event)
    resources.forget_credential(access.session.id)


def demand_recent_login(resources: Resources, access: OwnAccess) -> None:
    """Refuse what a stolen session must not do.

    A session's age is that of its login: refreshing does not make it younger.

    Raises:
        LoginTooOld.
    """
    age = time.monotonic() - access.session.login_clock
    if age > resources.settings.sessions.recent_login_seconds:
        raise LoginTooOld


async def _rotated(
    resources: Resources,
    connection: WriteConnection,
    token: OpaqueToken,
    origin: Origin,
    user_id: UUID,
) -> OpaqueToken | None:
    """Give the token that follows; None when the session has ended, or ends by this."""
    account = await accounts.lock(connection, user_id)
    old = await sessions.by_hash(connection, token.digest)
    newest = None if old is None else await sessions.newest(connection, old.family_id)
    if account is None or not account.is_active or old is None or newest is None:
        return None
    if newest.revoked_at is not None or newest.expires_at <= newest.looked_at:
        return None
    if old.replaced_at is None:
        following = opaque_tokens.successor(
            resources.secrets.keyring.current(Purpose.REFRESH_TOKENS), token
        )
        await sessions.follow(connection, old, _successor_row(old, following, origin))
        return following
    again = _successor_again(resources, token, old, newest)
    if again is None:
        await sessions.revoke(connection, old.family_id)
        event = Event("auth.refresh_reuse", "session", old.family_id, None, {"user_id": user_id})
        await record_global(connection, origin, event)
    return again


def _successor_again(
    resources: Resources, token: OpaqueToken, old: RefreshToken, newest: RefreshToken
) -> OpaqueToken | None:
    """Give the successor once more: soon enough, and only while nobody has used it."""
    if old.replaced_at is None:
        return None
    grace = timedelta(seconds=resources.settings.sessions.refresh_grace_seconds)
    # A clock that was set back meanwhile prolongs no grace.
    if abs(old.looked_at - old.replaced_at) > grace:
        return None
    keys = resources.secrets.keyring.held(Purpose.REFRESH_TOKENS)
    candidates = (opaque_tokens.successor(key, token) for key in keys)
    return next(
        (one for one in candidates if hmac.compare_digest(one.digest, newest.refresh_hash)), None
    )


def _successor_row(old: RefreshToken, token: OpaqueToken, origin: Origin) -> NewRefreshToken:
    return NewRefreshToken(new_id(), old.family_id, old.user_id, token.digest, origin.ip_address)


def _tokens(
    resources: Resources, user_id: UUID, session_id: UUID, refresh_token: OpaqueToken
) -> Tokens:
    issuer = resources.secrets.access_tokens
    access_token = issuer.issue(user_id, session_id)
    return Tokens(access_token, issuer.lifetime_seconds, refresh_token.text)


def _refused() -> Unauthenticated:
    return Unauthenticated("The refresh token is unknown, has expired or was used before.")

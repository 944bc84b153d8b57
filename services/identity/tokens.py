"""Access tokens: short-lived JWTs signed with Ed25519 (EdDSA), verified without a look-up.

Other services verify them with the keys of `jwks`. We accept EdDSA only, by the key that `kid`
names, and all of our claims are required: an algorithm is never taken from the token.
"""

import base64
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import jwt
import uuid_utils.compat as uuid_utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.errors import Unauthenticated
from services.expiring_cache import ExpiringCache
from services.keys.material import KeyMaterial, Purpose

_ALGORITHM = "EdDSA"
_TYPE = "at+jwt"  # RFC 9068: an access token, so that no other JWT of ours passes for one
_MAX_CHARACTERS = 2048
_MAX_CACHED = 10_000
_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti"]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a verified token says."""

    user_id: UUID
    token_id: UUID
    session_id: UUID | None
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Who gives tokens out, for whom, and for how long."""

    issuer: str
    audience: str
    lifetime_seconds: int = 600


class TokenKeys(Protocol):
    """Where keys come from: `services.keys.keyring.Keyring`."""

    def current(self, purpose: Purpose) -> KeyMaterial:
        """The key that signs new tokens."""

    def held(self, purpose: Purpose) -> tuple[KeyMaterial, ...]:
        """Every key of the purpose, newest first."""

    async def find(self, key_id: UUID) -> KeyMaterial | None:
        """A key of any age."""


class AccessTokens:
    """Issues and verifies access tokens. `clock` gives seconds since 1970."""

    def __init__(
        self, keys: TokenKeys, issuer: TokenIssuer, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._verified: ExpiringCache[bytes, AccessToken] = ExpiringCache(_MAX_CACHED, clock)

    @property
    def lifetime_seconds(self) -> int:
        """How long a new token is good."""
        return self._issuer.lifetime_seconds

    def issue(self, user_id: UUID, session_id: UUID | None = None) -> str:
        """Make a token for a user who has just proved who they are."""
        key = self._keys.current(Purpose.JWT_SIGNING)
        now = int(self._clock())
        claims: dict[str, Any] = {
            "iss": self._issuer.issuer,
            "aud": self._issuer.audience,
            "sub": str(user_id),
            "iat": now,
            "exp": now + self._issuer.lifetime_seconds,
            "jti": str(uuid_utils.uuid7()),
        }
        if session_id is not None:
            claims["sid"] = str(session_id)
        headers = {"kid": str(key.id), "typ": _TYPE}
        return jwt.encode(claims, _private(key), _ALGORITHM, headers=headers)

    async def verify(self, text: str) -> AccessToken:
        """Give what a token says, if it is ours and has not expired.

        Raises:
            Unauthenticated: for whatever reason; the reason is not told.
            KeysUnavailable: it was signed with a key that cannot be fetched at present.
        """
        if len(text) > _MAX_CHARACTERS:
            raise _refused()
        digest = hashlib.sha256(text.encode(errors="replace")).digest()
        known = self._verified.get(digest)
        if known is not None:
            return known
        token = self._read(text, await self._key_of(text))
        self._verified.put(digest, token, token.expires_at.timestamp())
        return token

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Give the public keys of all tokens that may still be good (RFC 7517, RFC 8037)."""
        keys = (key for key in self._keys.held(Purpose.JWT_SIGNING) if self._still_counts(key))
        return {"keys": [_public_jwk(key) for key in keys]}

    async def _key_of(self, text: str) -> KeyMaterial:
        try:
            header = jwt.get_unverified_header(text)
            key_id = UUID(str(header.get("kid")))
        except (jwt.InvalidTokenError, ValueError) as error:
            raise _refused() from error
        if header.get("alg") != _ALGORITHM or header.get("typ") != _TYPE:
            raise _refused()
        key = await self._keys.find(key_id)
        if key is None or key.purpose is not Purpose.JWT_SIGNING or not self._still_counts(key):
            raise _refused()
        return key

    def _read(self, text: str, key: KeyMaterial) -> AccessToken:
        try:
            claims = jwt.decode(
                text,
                _public(key),
                algorithms=[_ALGORITHM],
                audience=self._issuer.audience,
                issuer=self._issuer.issuer,
                # Times are compared below, by our clock.
                options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False},
            )
            token = _from_claims(claims)
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError) as error:
            raise _refused() from error
        if token.expires_at.timestamp() <= self._clock():
            raise _refused()
        return token

    def _still_counts(self, key: KeyMaterial) -> bool:
        """Tell whether tokens of this key may still be good: a retired one outlives its last."""
        if key.retired_at is None:
            return True
        last = key.retired_at + timedelta(seconds=2 * self._issuer.lifetime_seconds)
        return last.timestamp() > self._clock()


def _from_claims(claims: dict[str, Any]) -> AccessToken:
    session = claims.get("sid")
    return AccessToken(
        user_id=UUID(str(claims["sub"])),
        token_id=UUID(str(claims["jti"])),
        session_id=None if session is None else UUID(str(session)),
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def _refused() -> Unauthenticated:
    return Unauthenticated("The access token is not valid or has expired.")


def _private(key: KeyMaterial) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key.secret)


def _public(key: KeyMaterial) -> Ed25519PublicKey:
    return _private(key).public_key()


def _public_jwk(key: KeyMaterial) -> dict[str, str]:
    x = base64.urlsafe_b64encode(_public(key).public_bytes_raw()).rstrip(b"=").decode()
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": x,
        "kid": str(key.id),
        "use": "sig",
        "alg": _ALGORITHM,
    }

"""Access tokens: ours, today's and EdDSA, or refused."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from services.errors import Unauthenticated
from services.identity.tokens import AccessTokens, TokenIssuer
from services.keys.material import KeyMaterial, Purpose
from tests.unit.keys import HeldKeys, new_key

KEY = new_key(Purpose.JWT_SIGNING)
ISSUER = TokenIssuer("docshard", "docshard-api")


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC).timestamp()

    def __call__(self) -> float:
        return self.now


def make_tokens(*keys: KeyMaterial, clock: Clock | None = None) -> AccessTokens:
    return AccessTokens(HeldKeys(*(keys or (KEY,))), ISSUER, clock or Clock())


def good_claims() -> dict[str, Any]:
    now = int(datetime.now(UTC).timestamp())
    return {
        "iss": ISSUER.issuer,
        "aud": ISSUER.audience,
        "sub": str(uuid4()),
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + 600,
    }


def forge(claims: dict[str, Any], **headers: str) -> str:
    private = Ed25519PrivateKey.from_private_bytes(KEY.secret)
    return jwt.encode(
        claims, private, "EdDSA", headers={"kid": str(KEY.id), "typ": "at+jwt", **headers}
    )


async def test_a_token_says_who_and_how_long() -> None:
    clock, user, session = Clock(), uuid4(), uuid4()
    tokens = make_tokens(clock=clock)
    token = await tokens.verify(tokens.issue(user, session))
    assert token.user_id == user
    assert token.session_id == session
    assert token.expires_at - token.issued_at == timedelta(seconds=600)
    assert token.issued_at.timestamp() == int(clock.now)


async def test_a_token_ends_on_time_also_when_it_was_verified_before() -> None:
    clock = Clock()
    tokens = make_tokens(clock=clock)
    text = tokens.issue(uuid4())
    clock.now = int(clock.now) + 599.9
    await tokens.verify(text)
    clock.now += 0.1
    with pytest.raises(Unauthenticated):
        await tokens.verify(text)
    with pytest.raises(Unauthenticated):
        await make_tokens(clock=clock).verify(text)


async def test_forging_with_the_right_key_works_so_the_cases_below_mean_something() -> None:
    await make_tokens().verify(forge(good_claims()))


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "jti", "iat", "exp"])
async def test_every_claim_is_required(claim: str) -> None:
    claims = good_claims()
    del claims[claim]
    with pytest.raises(Unauthenticated):
        await make_tokens().verify(forge(claims))


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("iss", "somebody"),
        ("aud", "something-else"),
        ("sub", "not-an-id"),
        ("jti", "1"),
        ("exp", 1),
        ("exp", 10**30),
        ("exp", "soon"),
        ("iat", -(10**20)),
        ("sid", 7),
        ("nbf", 4_000_000_000),
    ],
)
async def test_wrong_claims_are_refused(claim: str, value: object) -> None:
    with pytest.raises(Unauthenticated):
        await make_tokens().verify(forge({**good_claims(), claim: value}))


async def test_wrong_keys_are_refused() -> None:
    other = new_key(Purpose.TOKEN_SIGNING)
    for kid in (str(uuid4()), "../../etc/passwd", "", str(other.id)):
        with pytest.raises(Unauthenticated):
            await make_tokens(KEY, other).verify(forge(good_claims(), kid=kid))
    with pytest.raises(Unauthenticated):
        await make_tokens(new_key(Purpose.JWT_SIGNING)).verify(forge(good_claims()))


async def test_other_kinds_of_jwt_are_refused() -> None:
    with pytest.raises(Unauthenticated):
        await make_tokens().verify(forge(good_claims(), typ="JWT"))


async def test_other_algorithms_are_refused() -> None:
    public = Ed25519PrivateKey.from_private_bytes(KEY.secret).public_key().public_bytes_raw()
    headers = {"kid": str(KEY.id), "typ": "at+jwt"}
    texts = [
        jwt.encode(good_claims(), "", "none", headers=headers),
        jwt.encode(good_claims(), public, "HS256", headers=headers),
        jwt.encode(good_claims(), KEY.secret, "HS256", headers=headers),
    ]
    for text in texts:
        with pytest.raises(Unauthenticated):
            await make_tokens().verify(text)


def _with_header(text: str, **changes: object) -> str:
    head, rest = text.split(".", 1)
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))) | changes
    changed = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{changed}.{rest}"


async def test_tampered_tokens_are_refused() -> None:
    text = make_tokens().issue(uuid4())
    head, body, signature = text.split(".")
    tampered = [
        _with_header(text, alg="none"),
        _with_header(text, alg="HS256"),
        _with_header(text, jwk={"kty": "OKP"}),
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body[:-2]}AA.{signature}",
        f"{head}.{body}.{signature[::-1]}",
        text + "A" * 5000,
        "",
        "..",
        "a.b.c",
        "\ud800.x.y",
        "é.é.é",
    ]
    for wrong in tampered:
        with pytest.raises(Unauthenticated):
            await make_tokens().verify(wrong)


async def test_a_retired_key_counts_until_its_last_token_has_expired() -> None:
    clock = Clock()
    text = make_tokens(clock=clock).issue(uuid4())
    for age, counts in ((60, True), (3600, False)):
        retired_at = datetime.fromtimestamp(clock.now - age, UTC)
        retired = KeyMaterial(KEY.id, KEY.purpose, KEY.secret, KEY.created_at, retired_at)
        tokens = make_tokens(new_key(Purpose.JWT_SIGNING), retired, clock=clock)
        assert len(tokens.jwks()["keys"]) == 1 + counts
        if counts:
            await tokens.verify(text)
        else:
            with pytest.raises(Unauthenticated):
                await tokens.verify(text)


async def test_others_can_verify_with_the_published_keys() -> None:
    tokens = make_tokens()
    (published,) = tokens.jwks()["keys"]
    assert "d" not in published
    public = OKPAlgorithm.from_jwk(json.dumps(published))
    assert isinstance(public, Ed25519PublicKey)
    text = tokens.issue(uuid4())
    assert jwt.get_unverified_header(text)["kid"] == published["kid"]
    jwt.decode(text, public, ["EdDSA"], audience=ISSUER.audience, issuer=ISSUER.issuer)

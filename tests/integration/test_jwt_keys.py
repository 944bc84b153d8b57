"""Access tokens that are not ours, and the key that signs ours, changed without downtime."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.access import signing_keys
from services.errors import Conflict
from services.keys.material import Purpose
from tests.integration.postgres import Database
from tests.integration.service import Service, User, serving, settings_for


async def jwks(service: Service) -> list[str]:
    async with service.caller() as http:
        return [key["kid"] for key in (await http.get("/.well-known/jwks.json")).json()["keys"]]


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def let_the_switch_come(service: Service) -> None:
    """As if the two minutes were over; every token signed until now was signed before."""
    await service.sql("UPDATE docshard.data_keys SET retired_at = now() WHERE retired_at > now()")


async def test_a_key_is_published_before_it_is_used(global_db: Database, key_file: Path) -> None:
    settings = settings_for(global_db, key_file)
    async with serving(global_db, settings) as one, serving(global_db, settings) as two:
        user = await one.add_user("ada.lovelace@example.org")
        before = (await one.log_in(user))["access_token"]
        rotation = await signing_keys.rotate_jwt(one.resources, "yearly")
        assert kid(before) == str(rotation.old)
        for worker in (one, two):
            await worker.resources.secrets.keyring.refresh()
            assert set(await jwks(worker)) == {str(rotation.old), str(rotation.new)}
            assert kid((await worker.log_in(user))["access_token"]) == str(rotation.old)
        with pytest.raises(Conflict):
            await signing_keys.rotate_jwt(two.resources)
        await let_the_switch_come(one)
        await one.resources.secrets.keyring.refresh()
        after = (await one.log_in(user))["access_token"]
        assert kid(after) == str(rotation.new)
        # The other worker has not looked since, and both tokens are good everywhere.
        for worker in (one, two):
            assert await worker.status(before) == 200
            assert await worker.status(after) == 200
        await one.sql(
            "UPDATE docshard.data_keys SET retired_at = now() - interval '21 minutes'"
            " WHERE id = %s",
            rotation.old,
        )
        await two.resources.secrets.keyring.refresh()
        assert await jwks(two) == [str(rotation.new)]
        assert await two.status(after) == 200
        (row,) = await one.audit("key.rotate")
        assert row["reason"] == "yearly"
        assert row["changes"]["before"] == {"key_id": str(rotation.old)}


async def test_forged_tokens_are_refused(service: Service, user: User) -> None:
    token = (await service.log_in(user))["access_token"]
    key = service.resources.secrets.keyring.current(Purpose.JWT_SIGNING)
    private = Ed25519PrivateKey.from_private_bytes(key.secret)
    claims = jwt.decode(token, options={"verify_signature": False})
    headers = {"kid": str(key.id), "typ": "at+jwt"}

    def signed(changes: dict[str, object], **other: str) -> str:
        return jwt.encode(claims | changes, private, "EdDSA", headers=headers | other)

    assert await service.status(signed({})) == 200
    head, body, signature = token.split(".")
    admin = base64.urlsafe_b64encode(json.dumps(claims | {"sub": str(uuid4())}).encode())
    for forged in (
        signed({"exp": int(datetime.now(UTC).timestamp()) - 1}),
        signed({"aud": "somebody-else"}),
        signed({"iss": "somebody-else"}),
        signed({"sid": str(uuid4())}),
        signed({}, kid=str(uuid4())),
        signed({}, typ="JWT"),
        jwt.encode(claims, "", "none", headers=headers),
        jwt.encode(claims, private.public_key().public_bytes_raw(), "HS256", headers=headers),
        f"{head}.{admin.rstrip(b'=').decode()}.{signature}",
        f"{head}.{body}.",
    ):
        assert await service.status(forged) == 401

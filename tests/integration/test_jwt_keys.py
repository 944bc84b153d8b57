"""Access tokens that are not ours, and the key that signs ours, changed without downtime."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.errors import Busy
from services.fleet.signing_rotation import SIGNINGS, look, rotate
from services.keys.keyring import Keyring
from services.keys.material import Purpose
from services.keys.providers import open_keyring
from services.resources import Data, open_data
from services.settings import DatabaseRole, Settings
from tests.integration.postgres import Database
from tests.integration.service import Service, User, serving, settings_for
from tests.integration.waiting import until

JWT = SIGNINGS["jwt"]


async def jwks(service: Service) -> list[str]:
    async with service.caller() as http:
        return [key["kid"] for key in (await http.get("/.well-known/jwks.json")).json()["keys"]]


@asynccontextmanager
async def operating(settings: Settings) -> AsyncIterator[tuple[Data, Keyring]]:
    """What an operator's command works with."""
    admin = settings.model_copy(update={"admin_db_password": settings.app_password})
    async with (
        open_data(admin, DatabaseRole.ADMIN) as data,
        open_keyring(admin, data.global_db) as keyring,
    ):
        yield data, keyring


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def test_a_key_is_published_before_it_is_used(global_db: Database, key_file: Path) -> None:
    settings = settings_for(global_db, key_file)
    async with serving(global_db, settings) as one, serving(global_db, settings) as two:
        user = await one.add_user("ada.lovelace@example.org")
        before = (await one.log_in(user))["access_token"]
        old = kid(before)
        async with operating(settings) as (data, keyring):
            rotation = asyncio.create_task(rotate(data, keyring, JWT, "yearly", settle_seconds=1.5))

            async def is_published() -> bool:
                await two.resources.secrets.keyring.refresh()
                return len(await jwks(two)) == 2

            await until(is_published)
            assert kid((await two.log_in(user))["access_token"]) == old
            with pytest.raises(Busy):
                await rotate(data, keyring, JWT)
            new = str(await rotation)
        await one.resources.secrets.keyring.refresh()
        after = (await one.log_in(user))["access_token"]
        assert kid(after) == new
        # The other worker has not looked since, and both tokens are good everywhere.
        for worker in (one, two):
            assert set(await jwks(worker)) == {old, new}
            assert await worker.status(before) == 200
            assert await worker.status(after) == 200
        await one.sql(
            "UPDATE docshard.data_keys SET retired_at = now() - interval '21 minutes'"
            " WHERE retired_at IS NOT NULL"
        )
        await two.resources.secrets.keyring.refresh()
        assert await jwks(two) == [new]
        assert await two.status(after) == 200
        (row,) = await one.audit("key.rotate")
        assert row["reason"] == "yearly"
        assert row["changes"] == {"before": {"in_use": old}, "after": {"in_use": new}}


async def test_an_interrupted_rotation_goes_on(service: Service, user: User) -> None:
    async with operating(service.resources.settings) as (data, keyring):
        interrupted = asyncio.create_task(rotate(data, keyring, JWT, settle_seconds=60))

        async def waits() -> bool:
            return (await look(data, JWT)).published is not None

        await until(waits)
        interrupted.cancel()
        with pytest.raises(asyncio.CancelledError):
            await interrupted
        waiting = (await look(data, JWT)).published
        assert await rotate(data, keyring, JWT, settle_seconds=0) == waiting
    await service.resources.secrets.keyring.refresh()
    assert kid((await service.log_in(user))["access_token"]) == str(waiting)


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

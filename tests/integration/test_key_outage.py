"""The key provider is away: who holds keys goes on, who does not says so, nobody stores plaintext.

And the change of provider: data keys wrapped anew, values untouched.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.errors import Exit
from router.app import create_app
from router.settings import RouterSettings
from services.errors import KeysUnavailable
from services.fleet import key_inventory
from services.fleet.key_inventory import Rewrap
from services.fleet.key_rotation import Pace, Rotation
from services.keys.fields import Fields, user_field
from services.keys.keyring import Keyring
from services.keys.local_file import LocalFileProvider, create_key_file
from services.keys.provider import KeyProviderError
from services.keys.store import GlobalKeyStore
from services.settings import Settings
from tests.integration.kms import Kms
from tests.integration.postgres import Database
from tests.integration.sealed_users import Office, Safe, User, office, some_users


@pytest.fixture
async def held(global_db: Database, tmp_path: Path) -> AsyncIterator[Office]:
    async with office(global_db, tmp_path) as made:
        yield made


@pytest.fixture
async def guarded(global_db: Database, tmp_path: Path, kms: Kms) -> AsyncIterator[Office]:
    """A process whose keys are wrapped by the KMS of the tests."""
    safe = Safe(global_db, tmp_path / "no key file", kms.environment)
    async with safe.data() as data:
        provider = kms.provider()
        keyring = Keyring(GlobalKeyStore(data.global_db), provider)
        await keyring.load()
        yield Office(safe, data, keyring)
        provider.close()


async def test_who_holds_keys_goes_on(guarded: Office, kms: Kms) -> None:
    (ann, bob) = some_users(2)
    await guarded.safe.add(guarded.fields, [ann])
    kms.kill()
    await guarded.keyring.load()  # what every process does each few seconds
    await guarded.safe.add(guarded.fields, [bob])
    assert await guarded.safe.read(guarded.fields) == {ann.id: ann, bob.id: bob}


async def test_a_rotation_without_the_provider_changes_nothing(guarded: Office, kms: Kms) -> None:
    await guarded.safe.add(guarded.fields, some_users(2))
    before = await guarded.safe.keys(), await guarded.safe.sealed_by()
    kms.kill()
    with pytest.raises(KeysUnavailable):
        await Rotation(guarded.data, guarded.keyring, Pace(settle_seconds=0)).run()
    assert (await guarded.safe.keys(), await guarded.safe.sealed_by()) == before


async def test_a_new_process_says_clearly_what_is_wrong(guarded: Office, kms: Kms) -> None:
    kms.kill()
    told = guarded.safe.run("key", "rotate", "--data", "--settle=0")
    assert told.returncode == Exit.FAILED
    assert "AWS KMS does not answer" in told.stderr
    assert "DOCSHARD_KEY_PROVIDER" in told.stderr
    assert "Traceback" not in told.stderr


async def test_a_new_router_answers_503_until_the_provider_is_back(
    guarded: Office, kms: Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in guarded.safe.variables().items():
        if name.startswith("DOCSHARD_") and name != "DOCSHARD_KEY_FILE":
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("DOCSHARD_KMS_CONNECT_TIMEOUT_SECONDS", "0.2")
    kms.kill()
    app = create_app(Settings(), RouterSettings())
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://router") as client,
    ):
        body = {"email": "ann@example.org", "password": "a long enough password"}
        refused = await client.post("/v1/auth/login", json=body)
        assert refused.status_code == 503
        assert refused.json()["code"] == "keys_unavailable"
        assert int(refused.headers["Retry-After"]) > 0
        assert "KMS" not in refused.text
        assert (await client.get("/readyz")).status_code == 503

        kms.start()
        await app.state.edge.resources.secrets.keyring.load()
        assert (await client.post("/v1/auth/login", json=body)).status_code == 401


async def test_keys_are_wrapped_anew_by_another_provider(held: Office, kms: Kms) -> None:
    safe, users = held.safe, some_users(5)
    await safe.add(held.fields, users)
    await Rotation(held.data, held.keyring, Pace(settle_seconds=0)).run()
    sealed = await safe.sealed_by()
    safe.environment = kms.environment

    planned = safe.run("key", "rewrap", "--from", "local-file", "--dry-run")
    assert "by local-file, wrap it by aws-kms" in planned.stdout
    told = safe.run(
        "key", "rewrap", "--from", "local-file", "--reason", "to production", "-o", "json"
    )
    assert told.returncode == 0, told.stderr
    keys = await key_inventory.list_keys(held.data)
    assert {row["id"] for row in json.loads(told.stdout)["rewrapped"]} == {
        str(key.id) for key in keys
    }
    assert {key.provider for key in keys} == {"aws-kms"}
    assert {row["reason"] for row in await safe.audited("key.rewrap")} == {"to production"}

    # New processes ask the KMS, old ones notice nothing, and no value was touched.
    assert await safe.sealed_by() == sealed
    provider = kms.provider()
    new = Fields(await safe.keyring(held.data, provider))
    everybody = {user.id: user for user in users}
    assert await safe.read(new) == everybody
    await held.keyring.refresh()
    assert await safe.read(held.fields) == everybody
    # With the file alone there is nothing to be had any more.
    with pytest.raises(KeysUnavailable) as refusal:
        await safe.keyring(held.data)
    assert "wrapped by aws-kms" in str(refusal.value.__cause__)


async def test_a_wrapping_that_does_not_succeed_leaves_the_old_one(held: Office, kms: Kms) -> None:
    kms.kill()
    before = await key_inventory.wrapped_by(held.data, "local-file")
    with pytest.raises(KeysUnavailable) as refusal:
        await key_inventory.rewrap(held.data, Rewrap(held.safe.provider(), kms.provider()))
    assert isinstance(refusal.value.__cause__, KeyProviderError)
    assert await key_inventory.wrapped_by(held.data, "local-file") == before


async def test_what_was_sealed_under_one_key_file_is_noise_under_another(
    held: Office, tmp_path: Path
) -> None:
    """A stolen database without its provider: keys do not unwrap, so no value opens."""
    (user,) = some_users(1)
    await held.safe.add(held.fields, [User(user.id, user.email, None, None)])
    create_key_file(tmp_path / "thief")
    thief = Keyring(GlobalKeyStore(held.data.global_db), LocalFileProvider(tmp_path / "thief"))
    with pytest.raises(KeysUnavailable):
        await thief.load()
    with pytest.raises(KeysUnavailable):
        Fields(thief).seal(user_field("email", user.id), "x")

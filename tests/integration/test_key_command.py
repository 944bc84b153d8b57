"""`docshard key`, and what the worker sweeps away."""

import json
from pathlib import Path

import pytest

from deploy.cli.main import run
from deploy.errors import Exit
from services.fleet import sweeps
from services.resources import open_resources
from services.settings import DatabaseRole
from tests.integration.postgres import Database
from tests.integration.service import Service, User, settings_for


@pytest.fixture
def environment(global_db: Database, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator's shell has."""
    nodes = json.dumps([global_db.address.model_dump()])
    for name, value in {
        "GLOBAL_NODES": nodes,
        "DATABASE": global_db.name,
        "ADMIN_DB_PASSWORD": global_db.server.password,
        "KEY_FILE": str(key_file),
        "S3_ENDPOINT": "http://127.0.0.1:9",
        "S3_BUCKET": "unused",
        "S3_ACCESS_KEY": "unused",
        "S3_SECRET_KEY": "unused",
    }.items():
        monkeypatch.setenv(f"DOCSHARD_{name}", value)


def keys(capsys: pytest.CaptureFixture[str], purpose: str) -> dict[str, str]:
    """State of every key of a purpose, by id."""
    assert run(["key", "list", "-o", "json"]) == Exit.OK
    listed = json.loads(capsys.readouterr().out)["keys"]
    return {key["id"]: key["state"] for key in listed if key["purpose"] == purpose}


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("which", "purpose"), [("--jwt", "jwt_signing"), ("--heads", "audit_heads")]
)
def test_a_key_is_rotated_by_command(
    capsys: pytest.CaptureFixture[str], which: str, purpose: str
) -> None:
    assert run(["key", "rotate"]) == Exit.USAGE
    assert run(["key", "rotate", which, "--settle", "0", "--reason", "first"]) == Exit.OK
    assert run(["key", "rotate", which, "--dry-run"]) == Exit.OK
    capsys.readouterr()
    assert run(["key", "rotate", which, "--settle", "0", "-o", "json"]) == Exit.OK
    rotated = json.loads(capsys.readouterr().out)["rotated"]["key_id"]
    states = keys(capsys, purpose)
    assert states.pop(rotated) == "in use"
    assert set(states.values()) == {"retired"}


async def test_the_worker_forgets_what_has_expired(
    service: Service, user: User, key_file: Path
) -> None:
    await service.log_in(user)
    kept = await service.log_in(user)
    await service.post("/v1/auth/login", user.credentials | {"password": "wrong horse battery"})
    await service.sql(
        "UPDATE docshard.sessions SET expires_at = now() - interval '1 second'"
        " WHERE id = (SELECT min(id::text)::uuid FROM docshard.sessions)"
    )
    await service.sql("UPDATE docshard.login_failures SET failed_at = now() - interval '25 hours'")
    settings = settings_for(service.database, key_file).model_copy(
        update={"worker_password": service.resources.settings.app_password}
    )
    async with open_resources(settings, DatabaseRole.WORKER) as resources:
        swept = await sweeps.remove_expired_sessions(resources)
    assert swept.done == 3
    assert await service.status(kept["access_token"]) == 200

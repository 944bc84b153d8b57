"""Production refuses what is for development, before anything is opened, and says what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from deploy.cli.main import run
from deploy.errors import Exit
from global_db.address import Login, NodeAddress, ServerTls, is_local
from services.production import ProductionRefused, is_default
from services.settings import DatabaseRole, Settings

REMOTE = [{"name": "global-1", "host": "10.20.0.11", "port": 5432}]
ALLOWED = {
    "DOCSHARD_ENV": "production",
    "DOCSHARD_GLOBAL_NODES": json.dumps(REMOTE),
    "DOCSHARD_DATABASE_SSLMODE": "verify-full",
    "DOCSHARD_DATABASE_SSLROOTCERT": "/etc/docshard/tls/ca.crt",
    "DOCSHARD_APP_PASSWORD": "HgbWkdnmJ0Z3dWg9",
    "DOCSHARD_KEY_PROVIDER": "aws-kms",
    "DOCSHARD_S3_ENDPOINT": "https://s3.example",
    "DOCSHARD_S3_BUCKET": "documents",
    "DOCSHARD_S3_ACCESS_KEY": "AKIAEXAMPLE",
    "DOCSHARD_S3_SECRET_KEY": "rTq8kYw0Qm2vXz5s",
}
POOLED = [
    {
        **{"name": "global-1", "host": "127.0.0.1", "port": 5432},
        "pooler": {"host": "db7", "port": 6432, "database": "docshard"},
    }
]
FORBIDDEN = [
    ("DOCSHARD_APP_PASSWORD", "docshard-app-password"),
    ("DOCSHARD_S3_SECRET_KEY", "minioadmin"),
    ("DOCSHARD_MOVER_PASSWORD", "change-me-please"),
    ("DOCSHARD_BACKUP_SECRET_KEY", "minioadmin"),
    ("DOCSHARD_BACKUP_DB_PASSWORD", "docshard-backup"),
    ("DOCSHARD_ADMIN_DB_PASSWORD", "123456789012345"),
    ("DOCSHARD_BACKUP_SECRET_KEY", "minioadmin"),
    ("DOCSHARD_BACKUP_DB_PASSWORD", "postgres"),
    ("DOCSHARD_KEY_PROVIDER", "local-file"),
    ("DOCSHARD_KEY_FILE", "/etc/docshard/keys"),
    ("DOCSHARD_DATABASE_SSLMODE", "verify-ca"),
    ("DOCSHARD_DATABASE_SSLMODE", "disable"),
]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in ALLOWED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_what_is_made_for_production_passes() -> None:
    conninfo = Settings().login(DatabaseRole.APP).direct(NodeAddress.model_validate(REMOTE[0]))
    parts = conninfo_to_dict(conninfo)
    assert parts["sslmode"] == "verify-full"
    assert parts["sslrootcert"] == "/etc/docshard/tls/ca.crt"


@pytest.mark.parametrize(("variable", "value"), FORBIDDEN)
def test_what_is_for_development_is_refused(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(variable, value)
    with pytest.raises(ProductionRefused) as caught:
        Settings()
    (refusal,) = caught.value.refusals
    assert variable in refusal.what
    assert refusal.advice
    assert value not in str(refusal) or "PASSWORD" not in variable
    environment.setenv("DOCSHARD_ENV", "development")
    Settings()


def test_a_line_to_a_pooler_counts(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DOCSHARD_GLOBAL_NODES", json.dumps(POOLED))
    environment.delenv("DOCSHARD_DATABASE_SSLMODE")
    with pytest.raises(ProductionRefused, match="towards db7"):
        Settings()


def test_where_all_is_on_this_host_shards_elsewhere_still_prove_who_they_are(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("DOCSHARD_GLOBAL_NODES", json.dumps([{**REMOTE[0], "host": "127.0.0.1"}]))
    environment.delenv("DOCSHARD_DATABASE_SSLMODE")
    settings = Settings()
    assert settings.tls().towards("127.0.0.1") == {}
    assert settings.tls().towards("shard-7.internal")["sslmode"] == "verify-full"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "/run/postgresql"])
def test_this_host_is_known(host: str) -> None:
    assert is_local(host)
    assert "sslmode" not in Login("r", "p", "d").direct(NodeAddress(name="n", host=host, port=1))


@pytest.mark.parametrize("host", ["10.0.0.1", "localhost.example", "::2", "128.0.0.1", "db"])
def test_others_are_not_taken_for_it(host: str) -> None:
    assert not is_local(host)
    assert ServerTls("require").towards(host) == {"sslmode": "require"}


def test_secrets_made_by_chance_are_no_defaults() -> None:
    assert not is_default("9f86d081884c7d659a2feaa0c55ad015")
    assert not is_default("correct horse battery")
    assert is_default("Postgres_2026!!")


def test_the_command_says_what_why_and_what_to_do(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("DOCSHARD_APP_PASSWORD", "password-password")
    environment.setenv("DOCSHARD_KEY_FILE", "/etc/docshard/keys")
    assert run(["worker"]) == Exit.REFUSED
    told = capsys.readouterr().err
    assert "DOCSHARD_APP_PASSWORD: a default" in told
    assert "Set DOCSHARD_KEY_PROVIDER to aws-kms or vault-transit" in told
    assert "password-password" not in told


@pytest.mark.parametrize("command", ["doctor", "worker", "up"])
def test_a_local_fleet_is_never_production(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its home brings its own settings, which say development."""
    (tmp_path / "service.env").write_text("export DOCSHARD_ENV=development\n")
    monkeypatch.setenv("DOCSHARD_HOME", str(tmp_path))
    monkeypatch.setenv("DOCSHARD_ENV", "production")
    monkeypatch.delenv("DOCSHARD_GLOBAL_NODES", raising=False)
    assert run([command]) == Exit.REFUSED
    assert "is for development" in capsys.readouterr().err
    assert os.environ["DOCSHARD_ENV"] == "production"
    assert [path.name for path in tmp_path.iterdir()] == ["service.env"]


def test_the_router_ends_before_it_starts_workers() -> None:
    given = {**ALLOWED, "DOCSHARD_DATABASE_SSLMODE": "require"}
    done = subprocess.run(
        [sys.executable, "-m", "router"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **given},
    )
    assert done.returncode == Exit.REFUSED, done.stderr
    assert "verify-full" in done.stderr
    assert "Traceback" not in done.stderr

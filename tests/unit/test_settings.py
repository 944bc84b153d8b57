"""Settings come from the environment, keep secrets out of sight, and refuse what is unsafe."""

from pathlib import Path

import pytest

from services.settings import (
    DatabaseRole,
    Environment,
    KeyProviderName,
    ReadSettings,
    SettingMissing,
    Settings,
)

ENVIRONMENT = {
    "DOCSHARD_ENV": "development",
    "DOCSHARD_GLOBAL_NODES": (
        '[{"name":"global-primary","host":"127.0.0.1","port":5432,'
        '"pooler":{"host":"127.0.0.1","port":6432,"database":"docshard"}},'
        '{"name":"global-replica","host":"127.0.0.1","port":5433,"pooler":null}]'
    ),
    "DOCSHARD_APP_PASSWORD": "app-secret",
    "DOCSHARD_S3_ENDPOINT": "http://127.0.0.1:8333",
    "DOCSHARD_S3_REGION": "eu-central-1",
    "DOCSHARD_S3_BUCKET": "docshard",
    "DOCSHARD_S3_ACCESS_KEY": "access",
    "DOCSHARD_S3_SECRET_KEY": "s3-secret",
    "DOCSHARD_POOL_MAX_SIZE": "7",
    "DOCSHARD_REQUESTS_PER_SECOND_PER_PRINCIPAL": "1000",
    "DOCSHARD_UNRELATED": "is for somebody else",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_settings_come_from_the_environment() -> None:
    settings = Settings()

    assert settings.env is Environment.DEVELOPMENT
    assert [node.name for node in settings.global_nodes] == ["global-primary", "global-replica"]
    assert settings.global_nodes[0].pooler is not None
    assert settings.s3.region == "eu-central-1"
    assert settings.pool.limits().max_size == 7
    assert settings.limits.requests_per_second_per_principal == 1000
    assert settings.limits.max_content_bytes == 5 * 1024**3
    assert settings.login(DatabaseRole.APP).password == "app-secret"


@pytest.mark.usefixtures("environment")
def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Settings()).replace("secret_key", "")


@pytest.mark.usefixtures("environment")
def test_a_missing_password_names_its_variable() -> None:
    with pytest.raises(SettingMissing, match="DOCSHARD_MOVER_PASSWORD"):
        Settings().login(DatabaseRole.MOVER)
    with pytest.raises(SettingMissing, match="DOCSHARD_KEY_FILE"):
        Settings().require_key_file()


def test_development_takes_the_local_file_unless_told_otherwise(
    environment: pytest.MonkeyPatch,
) -> None:
    assert Settings().chosen_key_provider() is KeyProviderName.LOCAL_FILE
    environment.setenv("DOCSHARD_KEY_PROVIDER", "vault-transit")
    assert Settings().chosen_key_provider() is KeyProviderName.VAULT_TRANSIT


def test_production_takes_what_it_is_told(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DOCSHARD_ENV", "production")
    environment.setenv("DOCSHARD_APP_PASSWORD", "HgbWkdnmJ0Z3dWg9")
    environment.setenv("DOCSHARD_S3_SECRET_KEY", "rTq8kYw0Qm2vXz5s")
    with pytest.raises(SettingMissing, match="DOCSHARD_KEY_PROVIDER"):
        Settings().chosen_key_provider()
    environment.setenv("DOCSHARD_KEY_PROVIDER", "aws-kms")
    environment.setenv("DOCSHARD_KMS_KEY_ID", "arn:aws:kms:eu-central-1:1:key/1")
    assert Settings().chosen_key_provider() is KeyProviderName.AWS_KMS
    assert Settings().kms.key_id == "arn:aws:kms:eu-central-1:1:key/1"


def test_secrets_may_stand_in_files(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("DOCSHARD_APP_PASSWORD", "DOCSHARD_S3_SECRET_KEY"):
        environment.delenv(variable)
        (tmp_path / variable).write_text("from a file\n")
    environment.setenv("DOCSHARD_WORKER_PASSWORD", "said by a variable")
    (tmp_path / "DOCSHARD_WORKER_PASSWORD").write_text("not this one")
    (tmp_path / "UNRELATED").write_text("for somebody else")
    environment.setenv("DOCSHARD_SECRETS_DIR", str(tmp_path))
    settings = Settings()
    assert settings.login(DatabaseRole.APP).password == "from a file"
    assert settings.s3.secret_key.get_secret_value() == "from a file"
    assert settings.login(DatabaseRole.WORKER).password == "said by a variable"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DOCSHARD_GLOBAL_NODES", "[]"),
        ("DOCSHARD_GLOBAL_NODES", "not json"),
        ("DOCSHARD_GLOBAL_NODES", '[{"name":"a","host":"b","port":70000}]'),
        ("DOCSHARD_ENV", "staging"),
        ("DOCSHARD_KEY_PROVIDER", "a-safe-place"),
        ("DOCSHARD_VAULT_TRANSIT_KEY", "../sys/seal"),
        ("DOCSHARD_MAX_JSON_BODY_BYTES", "0"),
        ("DOCSHARD_S3_ENDPOINT", "127.0.0.1:8333"),
    ],
)
def test_nonsense_is_refused(environment: pytest.MonkeyPatch, variable: str, value: str) -> None:
    environment.setenv(variable, value)
    with pytest.raises(ValueError):  # pydantic's and pydantic-settings' errors are both one
        Settings()


def test_who_may_answer_is_said_by_operation_then_by_permission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = '{"list_documents": 2, "audit:read": 0, "get_usage": 30}'
    monkeypatch.setenv("DOCSHARD_READ_MAX_STALENESS", told)
    reads = ReadSettings()
    assert reads.staleness_of("list_documents", "document:read") == 2
    assert reads.staleness_of("get_document", "document:read") is None
    assert reads.staleness_of("list_audit_logs", "audit:read") is None
    assert reads.staleness_of("get_usage", "report:read") == 30
    assert reads.staleness_of("another_report", "report:read") == 5
    assert reads.staleness_of_directory("list_documents", "audit:read") == 2
    monkeypatch.delenv("DOCSHARD_READ_MAX_STALENESS")
    assert ReadSettings().staleness_of("list_audit_logs", "audit:read") == 5
    assert ReadSettings().staleness_of_directory("list_all_audit_logs", "audit:read") is None

"""Settings of the key providers; see `settings`."""

from pathlib import Path

from pydantic import Field, HttpUrl
from pydantic_settings import SettingsConfigDict

from services.environment import FromEnvironment


class KmsSettings(FromEnvironment):
    """The key in AWS KMS that wraps data keys (`DOCSHARD_KMS_…`).

    Who we are is not said here: boto3 finds the role of the machine or pod, as AWS means it.
    """

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_KMS_", frozen=True, extra="forbid")

    key_id: str | None = Field(default=None, min_length=1)
    """A symmetric key's ARN. An alias may one day mean another key, which opens nothing of ours."""
    region: str | None = None
    endpoint: HttpUrl | None = None
    connect_timeout_seconds: float = Field(default=1.0, gt=0)
    read_timeout_seconds: float = Field(default=3.0, gt=0)
    attempts: int = Field(default=2, ge=1)


class VaultSettings(FromEnvironment):
    """The key in HashiCorp Vault's transit engine that wraps data keys (`DOCSHARD_VAULT_…`)."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_VAULT_", frozen=True, extra="forbid")

    addr: HttpUrl | None = None
    token_file: Path | None = None
    """Read again for every call: Vault's agent renews what is in it."""
    transit_key: str | None = Field(default=None, pattern=r"^[\w.-]+$")
    mount: str = Field(default="transit", pattern=r"^[\w./-]+$")
    ca_file: Path | None = None
    timeout_seconds: float = Field(default=3.0, gt=0)

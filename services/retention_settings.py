"""How long copies outlive what is erased: told, not brought about."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.environment import FromEnvironment


class RetentionSettings(FromEnvironment):
    """What whoever runs backups says of them (`DOCSHARD_RETENTION_…`)."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_RETENTION_", frozen=True, extra="forbid")

    backup_days: int | None = Field(default=None, ge=0)
    """How old the oldest backup of any database, and of the bucket, gets; None: nobody has said."""

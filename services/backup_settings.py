"""Settings of backups: where configurations of pgBackRest stand, and the buckets they lie in."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr
from pydantic_settings import SettingsConfigDict

from services.environment import FromEnvironment


class BackupBucket(BaseModel):
    """One bucket with backups, as `DOCSHARD_BACKUP_BUCKETS` names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: HttpUrl
    bucket: str = Field(min_length=3, max_length=63)
    region: str = "us-east-1"
    ca_file: Path | None = None


class BackupSettings(FromEnvironment):
    """How backups are reached (`DOCSHARD_BACKUP_…`); without buckets nothing is backed up."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_BACKUP_", frozen=True, extra="forbid")

    buckets: tuple[BackupBucket, ...] = ()
    """Where manifests of restore points are put, beside the backups; a JSON list."""
    path: str = Field(default="/docshard", pattern=r"^/[A-Za-z0-9._-]+$")
    """Where backups lie in each bucket."""
    access_key: str = ""
    secret_key: SecretStr = SecretStr("")
    folder: Path = Path("/etc/docshard/pgbackrest")
    """Where `docshard render pgbackrest` was put on this host."""
    db_password: SecretStr | None = None
    """Of the role docshard_backup."""
    oldest_days: int | None = Field(default=None, ge=0)
    """How old the oldest backup of any database, and of the bucket, gets: certificates of erasure
    say it. A day more than `retention_days` at least; None: nobody has said."""
    blob_copy: BackupBucket | None = None
    """A copy of the documents' bucket in another region, read with the same keys; JSON."""
    blob_copy_seconds: float = Field(default=0.0, ge=0)
    """How often the worker copies there what is missing; 0: the store replicates by itself."""
    timely: bool = False
    """Whether the worker takes full and incremental backups: on one machine, without timers."""
    drill_days: int = Field(default=35, ge=1)
    """How old the last good drill of a cluster may get before the doctor tells."""
    point_seconds: float = Field(default=300.0, ge=1)
    """How often the worker makes a restore point."""

    @property
    def configured(self) -> bool:
        """Whether anything is backed up."""
        return bool(self.buckets)

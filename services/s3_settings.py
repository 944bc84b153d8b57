"""Where blobs live."""

from pathlib import Path
from typing import Literal

from pydantic import Field, HttpUrl, SecretStr
from pydantic_settings import SettingsConfigDict

from services.environment import FromEnvironment


class S3Settings(FromEnvironment):
    """Where blobs live (`DOCSHARD_S3_…`), and how patiently we talk to it."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_S3_", frozen=True, extra="forbid")

    endpoint: HttpUrl
    region: str = "us-east-1"
    bucket: str = Field(min_length=3, max_length=63)
    access_key: str
    secret_key: SecretStr
    ca_file: Path | None = None
    """Who signed its certificate, when the system does not know them."""
    connect_timeout_seconds: float = Field(default=2.0, gt=0)
    read_timeout_seconds: float = Field(default=10.0, gt=0)
    attempts: int = Field(default=3, ge=1)
    threads: int = Field(default=16, ge=1)
    max_waiting: int = Field(default=128, ge=0)
    """Calls that may wait for a thread; more are refused."""
    max_uploads: int = Field(default=32, ge=1)
    """Streams written at a time by one process: each holds a part of 5 MiB in memory."""
    max_downloads: int = Field(default=64, ge=1)
    """Streams read at a time by one process: each holds a chunk of 256 KiB in memory."""
    max_verifications: int = Field(default=2, ge=1)
    """Blobs whose SHA-256 one process computes at a time, after an upload in parts."""
    cors_origins: tuple[str, ...] = ()
    """Origins of web pages that may upload to the bucket and download from it."""
    versioning: bool = False
    """Whether the bucket keeps what was overwritten or removed, for `noncurrent_days`."""
    noncurrent_days: int = Field(default=7, ge=1)
    encryption: Literal["AES256", "aws:kms"] | None = None
    """How the bucket enciphers what is put there, with keys of S3's or of KMS; none: as it is."""
    encryption_key: str | None = None
    """The key in KMS; none: the account's own for S3."""
    block_public: bool = True
    """Whether the bucket refuses everybody without a signature, whatever policies say."""
    replication_role: str | None = None
    """ARN of the role in which S3 itself copies to `DOCSHARD_BACKUP_BLOB_COPY`; none: it does not,
    or somebody else has told it to."""
    replica_key: str | None = None
    """The key in KMS with which S3 enciphers those copies."""

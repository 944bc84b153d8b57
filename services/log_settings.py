"""Settings of logs: how lines look, and which requests get one."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.environment import FromEnvironment


class LogSettings(FromEnvironment):
    """What routers and workers say on stderr (`DOCSHARD_LOG_…`); secrets are taken out of it."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_LOG_", frozen=True, extra="forbid")

    format: Literal["auto", "json", "text"] = "auto"
    """`json`: an object a line; `text`: for people; `auto`: text on a terminal, else JSON."""
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    requests: Literal["all", "slow", "none"] = "all"
    """Which requests get a line: every one; those that were slow or that we failed (5xx); none."""
    slow_seconds: float = Field(default=1.0, gt=0)
    """A request is a warning when it took us longer to begin its answer; what the caller kept us
    waiting is not counted, nor what it asked us to wait for changes."""

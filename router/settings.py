"""How the HTTP edge listens and what it refuses: read from the environment (prefix DOCSHARD_)."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

KIB = 1024


class ConsoleSettings(BaseSettings):
    """The operators' console (`DOCSHARD_CONSOLE_…`). It is there where `DOCSHARD_ADMIN_DB_PASSWORD`
    is: routers that serve tenants alone do without both."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_CONSOLE_", frozen=True, extra="ignore")

    enabled: bool = True
    session_hours: float = Field(default=12, gt=0, le=24 * 30)
    """A login in the console ends after so long; the service's own sessions may last longer."""
    streams: int = Field(default=32, ge=1, le=1000)
    """Pages of one process that are kept fresh at a time; more have to be loaded anew by hand."""
    look_seconds: float = Field(default=1.0, gt=0)
    """How often pages that somebody looks at are made anew: once for all who look."""


class RouterSettings(BaseSettings):
    """The edge's own settings; what lies behind it is in `services.settings`."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_", frozen=True, extra="ignore")

    listen_host: str = "127.0.0.1"
    listen_port: int = Field(default=8080, ge=0, le=65535)
    router_workers: int = Field(default=2, ge=1, le=256)
    max_connections: int = Field(default=2000, ge=1)
    """Open connections of one worker, idle ones too, and at most half of the files that it may have
    open. A further one takes the place of whoever has waited longest without a request; only when
    all have one under way the server answers a bare 503."""
    max_running: int = Field(default=500, ge=1)
    """Requests under way in one worker; above it new ones get 503 `overloaded` at once."""
    trusted_proxies: str = ""
    """Addresses whose X-Forwarded-For and X-Forwarded-Proto are believed, by comma; else nobody's:
    the audit log keeps the caller's address."""
    keep_alive_seconds: int = Field(default=30, ge=1)
    shutdown_seconds: int = Field(default=10, ge=1)
    """How long requests under way may take to finish once the worker is told to stop."""

    content_min_bytes_per_second: int = Field(default=4 * KIB, ge=1)
    """A body earns one more second of patience for each so many bytes that have arrived."""
    send_patience_seconds: float = Field(default=60, gt=0)
    """A download whose reader takes nothing for this long is dropped."""
    feed_waiting: int = Field(default=200, ge=1)
    """Requests of one worker that may wait for changes at a time; they count as running, too."""
    buckets: int = Field(default=20_000, ge=1)
    """Principals whose share of requests is remembered; the longest unseen is forgotten first."""
    denial_kinds: int = Field(default=1000, ge=1)
    """Different refusals that are counted at a time: by principal, operation and client."""
    denial_seconds: float = Field(default=5, gt=0)
    """Counted refusals go into the audit log this often; a process that dies loses as much."""
    console: ConsoleSettings = Field(default_factory=ConsoleSettings)

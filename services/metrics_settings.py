"""Settings of figures: who may read them, and where."""

from ipaddress import ip_network
from pathlib import Path

from pydantic import Field, IPvAnyNetwork, SecretStr
from pydantic_settings import SettingsConfigDict

from services.environment import FromEnvironment

_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class MetricsSettings(FromEnvironment):
    """Figures for Prometheus (`DOCSHARD_METRICS_…`): of a router at `/metrics`, which does
    not exist for others; of a worker on a port of its own."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_METRICS_", frozen=True, extra="forbid")

    networks: tuple[IPvAnyNetwork, ...] = _LOOPBACK
    """Who may read a router's without a token, unless the request came through a proxy."""
    token: SecretStr | None = None
    """Who sends it as a bearer token may read a router's from anywhere."""
    host: str = "127.0.0.1"
    """Where a worker listens."""
    port: int | None = Field(default=None, ge=0, le=65535)
    """The worker's port; none: it does not listen."""
    folder: Path | None = None
    """Where the processes of one router put what they counted, so that each can tell the sum. A
    router makes one for itself where none is named."""

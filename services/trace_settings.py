"""Settings of traces: where they go, and of which requests."""

from pydantic import Field, HttpUrl
from pydantic_settings import SettingsConfigDict

from services.environment import FromEnvironment


class TraceSettings(FromEnvironment):
    """Spans of requests for OpenTelemetry (`DOCSHARD_TRACES_…`); needs the extra `traces`."""

    model_config = SettingsConfigDict(env_prefix="DOCSHARD_TRACES_", frozen=True, extra="forbid")

    endpoint: HttpUrl | None = None
    """Where spans are sent by OTLP over HTTP; none: nothing is traced, nothing is imported."""
    share: float = Field(default=0.1, ge=0, le=1)
    """Of requests whose caller has not decided it by `traceparent`."""

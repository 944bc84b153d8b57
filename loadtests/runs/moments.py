"""What was sampled beside a run, second by second, and what happened in it."""

from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict


class Series(StrEnum):
    """What `seconds.csv` may hold; behind each: what its label names."""

    OFFERED = "offered"
    """Requests whose intended start lies in this second; no label."""
    REQUESTS = "requests"
    """Answers that came in this second, failed ones included; operation, or `all`."""
    FAILURES = "failures"
    """Those of them that failed; operation, or `all`."""
    P50 = "p50_ms"
    """Percentiles of the second's answers, in milliseconds; operation, or `all`."""
    P90 = "p90_ms"
    P95 = "p95_ms"
    P99 = "p99_ms"
    MAX = "max_ms"
    USERS = "users"
    """Users or workers that send, now; no label."""
    CPU = "cpu_percent"
    """Processor time of a process and its children, 100 is one core; process."""
    MEMORY = "memory_bytes"
    """Memory of a process and its children; process."""
    LAG = "lag_seconds"
    """The worst replica's lag, as the routers see it; shard."""
    POOL_WAIT = "pool_wait_seconds"
    """Time that requests waited for a connection in this second, summed up; shard."""
    POOL_WAITING = "pool_waiting"
    """Requests that wait for a connection now; shard."""
    POOL_USED = "pool_used"
    """Connections lent now; shard."""
    SHARD_WORK = "shard_work"
    """Pieces of work done with a connection in this second; shard."""
    SHARD_SECONDS = "shard_seconds"
    """How long connections were held for them, summed up; shard."""
    REFUSALS = "residency_refusals"
    """Requests that came where their tenant was not open, in this second; reason."""
    FENCE_WAITS = "fence_waits"
    """Requests that waited at a fence and went on in this second; no label."""
    FENCE_WAIT_SECONDS = "fence_wait_seconds"
    """How long those had waited, summed up; no label."""


class Value(NamedTuple):
    """One value of one second after the start; one line of `seconds.csv`."""

    second: int
    series: Series
    label: str
    value: float


class Kind(StrEnum):
    """What an event of a run is."""

    COPY = "copy"
    FENCE = "fence"
    SWITCH = "switch"
    FAILOVER = "failover"
    FAULT = "fault"
    """Something was broken on purpose, or mended."""
    STAGE = "stage"
    """The scenario went on to its next part."""
    NOTE = "note"


class Event(BaseModel):
    """Something that happened, so many seconds after the start of the run."""

    model_config = ConfigDict(frozen=True)

    second: float
    kind: Kind
    text: str

"""Shares of requests: a token bucket for each principal and each client, per worker.

Workers do not talk to each other: each holds its part of the whole limit, so the sum is right
when connections are spread evenly, and a caller who stays on one connection meets its part.
"""

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil

from global_db.values import value
from services.errors import TooManyRequests

BURST_SECONDS = 2
"""A caller that was quiet may use up this many seconds of its share at once."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


@value
class Share:
    """What is left to a caller after one request."""

    policy: str
    per_second: float
    remaining: int
    """Requests that may follow at once; -1 when this one was already too many."""
    reset_seconds: int
    """After which the bucket is full again."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """RateLimit-Policy and RateLimit, as draft-ietf-httpapi-ratelimit-headers has them."""
        quota = ceil(self.per_second * BURST_SECONDS)
        policy = f'"{self.policy}";q={quota};w={BURST_SECONDS}'
        limit = f'"{self.policy}";r={max(self.remaining, 0)};t={self.reset_seconds}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", limit.encode())]


class Limiter:
    """Buckets of one kind of caller. Memory is bounded: the longest unseen is forgotten.

    Of `per_second`, and of what single callers have instead, this worker gives one of `workers`
    parts.
    """

    def __init__(self, policy: str, per_second: float, max_buckets: int, workers: int = 1) -> None:
        self._policy = policy
        self._per_second = per_second
        self._workers = workers
        self._max_buckets = max_buckets
        self._buckets: OrderedDict[object, _Bucket] = OrderedDict()

    def take(self, key: object, now: float, own: float | None = None) -> Share:
        """Spend one request of `key` at `now` (seconds of a monotonic clock).

        `own` is its limit instead of everybody's; one below a request a second holds one.
        """
        per_second = (self._per_second if own is None else own) / self._workers
        capacity = max(per_second * BURST_SECONDS, 1.0)
        bucket = self._filled(key, now, per_second, capacity)
        allowed = bucket.tokens >= 1
        if allowed:
            bucket.tokens -= 1
        missing = capacity - bucket.tokens
        remaining = int(bucket.tokens) if allowed else -1
        return Share(self._policy, per_second, remaining, ceil(missing / per_second))

    def _filled(self, key: object, now: float, per_second: float, capacity: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(capacity, now)
            if len(self._buckets) > self._max_buckets:
                self._buckets.popitem(last=False)
            return bucket
        self._buckets.move_to_end(key)
        earned = (now - bucket.filled_at) * per_second
        bucket.tokens = min(capacity, bucket.tokens + earned)
        bucket.filled_at = now
        return bucket


def refuse(share: Share) -> TooManyRequests:
    """Make the error of a share that is used up."""
    return TooManyRequests(
        f"This {share.policy} may make {share.per_second:g} requests a second here.",
        retry_after_seconds=max(1, ceil(1 / share.per_second)),
    )

"""A bounded memory of answers that stop being true at a known time."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """The `max_entries` entries used last, none beyond its own expiry.

    Expiry and `clock` are in seconds of one clock; the default is one that nobody sets:
    a clock that is set back must not prolong what is trusted.
    """

    def __init__(self, max_entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self.hits = self.misses = 0
        """How often `get` knew the answer, and how often it did not."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value, unless it is unknown or has expired."""
        entry = self._entries.get(key)
        if entry is None:
            self.misses += 1
            return None
        expires_at, value = entry
        if expires_at <= self._clock():
            self.misses += 1
            del self._entries[key]
            return None
        self.hits += 1
        self._entries.move_to_end(key)
        return value

    def put(self, key: K, value: V, expires_at: float) -> None:
        """Remember a value until `expires_at`, in place of the one used longest ago."""
        self._entries[key] = (expires_at, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def drop_where(self, condition: Callable[[V], bool]) -> None:
        """Forget every value for which the condition holds; looks at all of them."""
        for key in [key for key, (_, value) in self._entries.items() if condition(value)]:
            del self._entries[key]

    def drop(self, key: K) -> None:
        """Forget a value."""
        self._entries.pop(key, None)

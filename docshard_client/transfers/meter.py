"""Counting bytes for whoever watches."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock


class Stopped(Exception):
    """Another part has failed, so this one need not go on."""


@dataclass(slots=True)
class Meter:
    """How much of `total` bytes is done. Parts that run side by side share one."""

    total: int
    progress: Callable[[int, int], None] | None
    done: int = 0
    _stopped: bool = False
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, count: int) -> None:
        """So many more bytes are done; fewer, when a part has to begin again.

        Raises Stopped after `stop`.
        """
        with self._lock:
            if self._stopped:
                raise Stopped
            self._tell(self.done + count)

    def reach(self, done: int) -> None:
        """So many bytes are done."""
        with self._lock:
            self._tell(done)

    def _tell(self, done: int) -> None:
        self.done = done
        if self.progress is not None:
            self.progress(done, self.total)

    def stop(self) -> None:
        """Have everybody who adds something stop."""
        self._stopped = True


@dataclass(slots=True)
class Share:
    """What one attempt has added, to take it back when it fails."""

    meter: Meter
    added: int = 0

    def add(self, count: int) -> None:
        """So many bytes of this attempt are done."""
        self.added += count
        self.meter.add(count)

    def take_back(self) -> None:
        """The attempt failed."""
        if self.added:
            self.meter.add(-self.added)
        self.added = 0

"""Waiting for what has no event: asked again and again, for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable

from loadtests.bench.fleet import NoFleet

# Rarely enough that asking takes nothing from what is waited for.
_PAUSE_SECONDS = 0.05


def awaited(look: Callable[[], bool], seconds: float, what: str) -> None:
    """Return as soon as `look` says so.

    Raises:
        NoFleet: it has not within `seconds`; `what` tells what was waited for.
    """
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise NoFleet(f"{what} not within {seconds:.0f} s")
        time.sleep(_PAUSE_SECONDS)

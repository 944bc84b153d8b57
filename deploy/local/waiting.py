"""Waiting for what has no event: asked again and again, for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_SECONDS = 0.03


def awaited(look: Callable[[], T], seconds: float) -> T:
    """What `look` answers as soon as it is true; its last answer when it has not become so."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    return found

"""Waiting for what has no event: asked again and again, for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Asked often at first, for most is quick; rarely in a long wait, for asking takes from what is
# waited for.
_FIRST_PAUSE_SECONDS = 0.03
_LONGEST_PAUSE_SECONDS = 0.2
_LONGER = 1.15


def awaited(look: Callable[[], T], seconds: float) -> T:
    """What `look` answers as soon as it is true; its last answer when it has not become so."""
    deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE_SECONDS
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * _LONGER, _LONGEST_PAUSE_SECONDS)
    return found

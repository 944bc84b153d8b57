"""Looks whether ports are taken, and whether somebody answers there."""

from __future__ import annotations

import random
import socket

from deploy.fleet.planning import LOOPBACK

_ANSWER_SECONDS = 1.0
_FOR_A_WHILE = (22_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        # As servers do: a closed connection in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def accepts(port: int) -> bool:
    """Whether somebody takes connections there now."""
    with socket.socket() as probe:
        probe.settimeout(_ANSWER_SECONDS)
        return probe.connect_ex((LOOPBACK, port)) == 0


def free() -> int:
    """A port that nobody listens on now, below those that the kernel gives to clients."""
    # By chance, so that fleets and tests side by side seldom try the same.
    tried = iter(lambda: random.randrange(*_FOR_A_WHILE), 0)  # noqa: S311
    return next(port for port in tried if is_free(port))

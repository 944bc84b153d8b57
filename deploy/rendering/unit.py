"""One service on one host, as systemd is told of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """One service on one host.

    `writes` are the folders that it may write to, `runs` those below /run that are made for it,
    `environment` files with its variables: what a later one says counts; `secrets` files that its
    user reads, and nobody else.
    """

    name: str
    host: str
    what: str
    user: str
    command: str
    environment: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    stop_seconds: int = 30
    reloads: bool = False
    open_files: int = 65_536
    kill_mode: str = "control-group"

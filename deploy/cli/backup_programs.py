"""PostgreSQL's programs for servers that are restored."""

from __future__ import annotations

from pathlib import Path

from deploy.cli.home import present_home
from deploy.errors import UsageFault
from deploy.fleet.settings import FleetSettings


def find_programs() -> Path:
    """The folder that DOCSHARD_POSTGRES names, or the one that the local fleet runs on.

    Raises:
        UsageFault: neither is there.
    """
    state = present_home().load()
    found = FleetSettings().postgres or (state.postgres if state else None)
    if found is None or not (found / "postgres").exists():
        raise UsageFault(
            "No folder with PostgreSQL's programs is known.",
            "A restored cluster is recovered by a server of its own version.",
            "Set DOCSHARD_POSTGRES, such as /usr/lib/postgresql/15/bin.",
        )
    return found

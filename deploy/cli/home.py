"""Which home the command works on."""

from __future__ import annotations

import os

from deploy.errors import Refused
from deploy.fleet.settings import FleetSettings
from deploy.local.home import Home, home_of
from services.settings import Environment


def present_home() -> Home:
    """The home that the environment names."""
    return home_of(FleetSettings())


def never_in_production() -> None:
    """Keep a local fleet from passing for production, whose settings its own would replace.

    Raises:
        Refused: DOCSHARD_ENV says production.
    """
    if os.environ.get("DOCSHARD_ENV") == Environment.PRODUCTION:
        raise Refused(
            "DOCSHARD_ENV=production, and DOCSHARD_GLOBAL_NODES names no global database.",
            f"The local fleet of {present_home().path} does not stand in: it is for development,"
            " its keys lie in a file, and its settings would replace those of production.",
            "Set DOCSHARD_GLOBAL_NODES and the passwords of the installation that you mean, or"
            " unset DOCSHARD_ENV.",
        )

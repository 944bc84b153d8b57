"""Which home the command works on."""

from __future__ import annotations

from deploy.fleet.settings import FleetSettings
from deploy.local.home import Home, home_of


def present_home() -> Home:
    """The home that the environment names."""
    return home_of(FleetSettings())

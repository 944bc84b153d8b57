"""HAProxy before the routers: whichever can serve gets requests, none that is leaving."""

from __future__ import annotations

from pathlib import PurePosixPath

from deploy.fleet.file import FleetFile
from deploy.fleet.templates import TEMPLATES
from deploy.rendering.target import Files, header

TARGET = "haproxy"


def render(file: FleetFile) -> Files:
    """haproxy/haproxy.cfg."""
    text = TEMPLATES.get_template("haproxy.cfg.j2").render(
        routers=file.model.routers, haproxy=file.haproxy
    )
    return {PurePosixPath(TARGET, "haproxy.cfg"): header(TARGET, file.fleet.name) + text}

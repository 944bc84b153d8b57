"""Every target of `docshard render`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deploy.fleet.file import FleetFile
from deploy.rendering import haproxy, patroni, pgbackrest, systemd
from deploy.rendering.target import Files

TARGETS: Mapping[str, Callable[[FleetFile], Files]] = {
    patroni.TARGET: patroni.render,
    pgbackrest.TARGET: pgbackrest.render,
    systemd.TARGET: systemd.render,
    haproxy.TARGET: haproxy.render,
}

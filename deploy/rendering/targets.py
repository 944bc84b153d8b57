"""Every target of `docshard render`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from deploy.fleet.file import FleetFile
from deploy.rendering import (
    compose,
    haproxy,
    kubernetes,
    patroni,
    pgbackrest,
    prometheus,
    systemd,
)
from deploy.rendering.target import Files

TARGETS: Mapping[str, Callable[[FleetFile], Files]] = {
    compose.TARGET: compose.render,
    kubernetes.TARGET: kubernetes.render,
    patroni.TARGET: patroni.render,
    pgbackrest.TARGET: pgbackrest.render,
    prometheus.TARGET: prometheus.render,
    systemd.TARGET: systemd.render,
    haproxy.TARGET: haproxy.render,
}

"""What Prometheus' operator is told: whom to ask, and what to wake somebody for."""

from __future__ import annotations

from deploy.rendering.alerts import container_groups
from deploy.rendering.kubernetes.objects import NAME, Object, labels, named
from deploy.rendering.kubernetes.services import FIGURES

_API = "monitoring.coreos.com/v1"
_PORTS = {"router": "http", "worker": FIGURES}


def figures() -> list[Object]:
    """A PodMonitor for routers and one for workers, which are the jobs that alerts know."""
    return [
        named(
            _API,
            "PodMonitor",
            component,
            {
                "jobLabel": "app.kubernetes.io/component",
                "podMetricsEndpoints": [{"interval": "15s", "path": "/metrics", "port": port}],
                "selector": {"matchLabels": labels(component)},
            },
            component,
        )
        for component, port in _PORTS.items()
    ]


def rules() -> Object:
    """The alerts of router and worker; CloudNativePG brings those of its servers."""
    return named(_API, "PrometheusRule", NAME, {"groups": container_groups()})

"""Prometheus: what to ask in this fleet, and what to wake somebody for.

Figures come from routers and workers themselves (docs/metrics.md), from Patroni and etcd, and from
postgres_exporter and pgbouncer_exporter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from deploy.fleet.file import FleetFile
from deploy.rendering import yaml
from deploy.rendering.alerts import groups
from deploy.rendering.target import Files, header

TARGET = "prometheus"
_Target = tuple[str, dict[str, str]]


def render(file: FleetFile) -> Files:
    """prometheus/prometheus.yml and prometheus/rules.yml."""
    texts = {
        "prometheus.yml": yaml.documents(configuration(file, _jobs(file))),
        "rules.yml": yaml.documents({"groups": groups(file)}),
    }
    head = header(TARGET, file.fleet.name)
    return {PurePosixPath(TARGET, name): head + text for name, text in texts.items()}


def configuration(file: FleetFile, jobs: list[yaml.Value]) -> yaml.Value:
    """What Prometheus is told: how often it asks whom."""
    return {
        "global": {
            "evaluation_interval": "15s",
            "external_labels": {"fleet": file.fleet.name},
            "scrape_interval": "15s",
            "scrape_timeout": "10s",
        },
        "rule_files": ["rules.yml"],
        "scrape_configs": jobs,
    }


def _jobs(file: FleetFile) -> list[yaml.Value]:
    jobs = {
        "etcd": [(member.address.text, {"node": member.name}) for member in file.model.etcd],
        "patroni": _patroni(file),
        "pgbouncer": list(_poolers(file)),
        "postgres": list(_servers(file)),
        "router": [(one.address.text, {"node": one.name}) for one in file.model.routers],
        "worker": [(address, {"node": name}) for name, address in worker_addresses(file).items()],
    }
    return [_job(name, targets) for name, targets in jobs.items() if targets]


def _job(name: str, targets: Iterable[_Target]) -> yaml.Value:
    listed: list[yaml.Value] = [
        {"labels": labels, "targets": [address]} for address, labels in targets
    ]
    return {"job_name": name, "static_configs": listed}


def _patroni(file: FleetFile) -> list[_Target]:
    return [
        (node.patroni.text, {"cluster": cluster.name, "node": node.name})
        for cluster in file.model.clusters
        for node in cluster.nodes
        if node.patroni
    ]


def _servers(file: FleetFile) -> Iterator[_Target]:
    ports = _Ports(file.prometheus.postgres_exporter_port)
    for cluster in file.model.clusters:
        for node in cluster.nodes:
            yield ports.next(node.address.host), {"cluster": cluster.name, "node": node.name}


def _poolers(file: FleetFile) -> Iterator[_Target]:
    ports = _Ports(file.prometheus.pgbouncer_exporter_port)
    for cluster in file.model.clusters:
        for pooler in cluster.poolers:
            yield ports.next(pooler.address.host), {"cluster": cluster.name, "node": pooler.name}


def worker_addresses(file: FleetFile) -> dict[str, str]:
    """Where each worker tells its figures, by its name."""
    ports = _Ports(file.prometheus.worker_port)
    return {worker.name: ports.next(worker.host or "") for worker in file.model.workers}


class _Ports:
    """Exporters' addresses: a host's first has the first port, its next the next."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._taken: Counter[str] = Counter()

    def next(self, host: str) -> str:
        port = self._first + self._taken[host]
        self._taken[host] += 1
        return f"{host}:{port}"

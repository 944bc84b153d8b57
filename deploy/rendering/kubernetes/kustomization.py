"""The files: a base that is whole, an overlay for staging and one for production, and what a
Prometheus operator is told, for where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from deploy.fleet.file import FleetFile
from deploy.rendering import yaml
from deploy.rendering.kubernetes import databases, monitoring, network, services
from deploy.rendering.kubernetes.objects import NAME, SETTINGS, TLS, Object, account
from deploy.rendering.service import SECRETS, service_variables
from deploy.rendering.target import Files, header

TARGET = "kubernetes"
_API = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


def render(file: FleetFile) -> Files:
    """kubernetes/base, kubernetes/overlays/staging, kubernetes/overlays/production and
    kubernetes/monitoring."""
    head = header(TARGET, file.fleet.name)
    base = {
        f"base/{name}": yaml.documents(*objects) for name, objects in sorted(_base(file).items())
    }
    texts = base | {
        "base/settings.env": _settings(file),
        "base/kustomization.yaml": yaml.documents(_base_kustomization(file, sorted(base))),
        "monitoring/figures.yaml": yaml.documents(*monitoring.figures()),
        "monitoring/kustomization.yaml": yaml.documents(_monitoring(file)),
        "monitoring/rules.yaml": yaml.documents(monitoring.rules()),
        "overlays/production/kustomization.yaml": yaml.documents(_production(file)),
        "overlays/staging/kustomization.yaml": yaml.documents(_staging(file)),
    }
    return {PurePosixPath(TARGET, name): head + text for name, text in texts.items()}


def _base(file: FleetFile) -> dict[str, list[Object]]:
    clusters = {
        f"cluster-{cluster.name}.yaml": databases.databases(file, cluster)
        for cluster in file.model.clusters
    }
    return clusters | {
        "accounts.yaml": [account(f"{NAME}-{role}") for role in SECRETS],
        "command.yaml": [services.command(file)],
        "doctor.yaml": services.doctor(file),
        "namespace.yaml": [_namespace(file)],
        "network.yaml": network.policies(file),
        "prepare.yaml": [services.prepare(file)],
        "router.yaml": services.router(file),
        "worker.yaml": services.worker(file),
    }


def _namespace(file: FleetFile) -> Object:
    """Pods that ask for more than the restricted standard allows are refused."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": file.kubernetes.namespace,
            "labels": {
                f"pod-security.kubernetes.io/{what}": "restricted" for what in ("enforce", "warn")
            },
        },
    }


def _settings(file: FleetFile) -> str:
    """Variables without secrets; a change gives the ConfigMap another name, and rolls the pods."""
    nodes = databases.addresses(file.model.global_cluster)
    told = service_variables(file, nodes, TLS)
    return "".join(f"{name}={value}\n" for name, value in told.items())


def _base_kustomization(file: FleetFile, names: list[str]) -> Object:
    return _API | {
        "configMapGenerator": [{"envs": ["settings.env"], "name": SETTINGS}],
        "namespace": file.kubernetes.namespace,
        "resources": [PurePosixPath(name).name for name in names],
    }


def _monitoring(file: FleetFile) -> Object:
    """Applied apart: its kinds are only known where Prometheus' operator is."""
    resources = ["figures.yaml", "rules.yaml"]
    return _API | {"namespace": file.kubernetes.namespace, "resources": resources}


def _production(file: FleetFile) -> Object:
    """Servers of a cluster never share a machine, nor do routers more than they must."""
    apart = [{"op": "replace", "path": "/spec/affinity/podAntiAffinityType", "value": "required"}]
    spread = [
        {
            "op": "replace",
            "path": "/spec/template/spec/topologySpreadConstraints/1/whenUnsatisfiable",
            "value": "DoNotSchedule",
        }
    ]
    clusters = [_patch("Cluster", cluster.name, apart) for cluster in file.model.clusters]
    return _overlay([*clusters, _patch("Deployment", "router", spread)])


def _staging(file: FleetFile) -> Object:
    """The same in small: one of each, and servers that fit on a small machine."""
    return _overlay(list(_smaller(file)))


def _smaller(file: FleetFile) -> Iterator[Object]:
    memory = "2Gi"
    for cluster in file.model.clusters:
        yield _patch(
            "Cluster",
            cluster.name,
            [
                _replace("/spec/resources/limits/memory", memory),
                _replace("/spec/resources/requests/memory", memory),
                _replace("/spec/postgresql/parameters/shared_buffers", "512MB"),
                _replace("/spec/storage/size", "10Gi"),
                _replace("/spec/walStorage/size", "5Gi"),
            ],
        )
        for kind in databases.kinds(cluster) if cluster.poolers else ():
            pooler = databases.pooler(cluster, kind)
            yield _patch("Pooler", pooler, [_replace("/spec/instances", 1)])
    for name in ("router", "worker"):
        yield _patch("Deployment", name, [_replace("/spec/replicas", 1)])


def _overlay(patches: list[Object]) -> Object:
    return _API | {"patches": patches, "resources": ["../../base"]}


def _patch(kind: str, name: str, operations: list[Object]) -> Object:
    return {"patch": yaml.documents(operations), "target": {"kind": kind, "name": name}}


def _replace(path: str, value: object) -> Object:
    return {"op": "replace", "path": path, "value": value}

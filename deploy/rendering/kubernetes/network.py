"""Who may speak to whom: nobody, and then what each part needs."""

from __future__ import annotations

from deploy.fleet.file import FleetFile
from deploy.rendering.kubernetes.databases import PORT
from deploy.rendering.kubernetes.objects import Object, labels, named, pods_of
from deploy.rendering.kubernetes.services import HTTP
from deploy.rendering.service import stores

_API = "networking.k8s.io/v1"
_STATUS = 8000  # of CloudNativePG's instances
_SERVER_FIGURES, _POOLER_FIGURES = 9187, 9127
# Instances and poolers of CloudNativePG ask Kubernetes what they shall be.
_KUBERNETES = (443, 6443)
_CALLERS = ("router", "worker", "command")
_DATABASES, _POOLERS = pods_of("database"), pods_of("pooler")


def policies(file: FleetFile) -> list[Object]:
    """Every NetworkPolicy; what none allows is dropped."""
    return [
        _policy("deny-all", {}, ingress=[], egress=[]),
        _policy("names", {}, egress=[_names()]),
        *(_callers_way(file, caller) for caller in _CALLERS),
        _router(file),
        _worker(file),
        _database(file),
        _pooler(file),
    ]


def _callers_way(file: FleetFile, caller: str) -> Object:
    """To servers, and outside."""
    servers = {"ports": _tcp(PORT), "to": [_DATABASES, _POOLERS]}
    # Stores, and the key service: their addresses are their owners', and change.
    outside = {
        "ports": _tcp(*sorted({443, *(one.port for one in stores(file))})),
        "to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}],
    }
    return _policy(f"{caller}-out", labels(caller), egress=[servers, outside])


def _router(file: FleetFile) -> Object:
    """Routers tell their figures where they serve; who may read them is theirs to say."""
    ingress = _namespace(file.kubernetes.ingress_namespace)
    served = {"from": [ingress, _monitoring(file)], "ports": _tcp(HTTP)}
    return _policy("router-in", labels("router"), ingress=[served])


def _worker(file: FleetFile) -> Object:
    told = {"from": [_monitoring(file)], "ports": _tcp(file.prometheus.worker_port)}
    return _policy("worker-in", labels("worker"), ingress=[told])


def _database(file: FleetFile) -> Object:
    operator = _namespace(file.kubernetes.operator_namespace)
    ingress = [
        # Servers follow each other, and in a move one shard subscribes to another.
        {"from": [_DATABASES, _POOLERS, *_callers()], "ports": _tcp(PORT)},
        {"from": [_DATABASES, operator], "ports": _tcp(_STATUS)},
        {"from": [operator], "ports": _tcp(PORT)},
        {"from": [_monitoring(file)], "ports": _tcp(_SERVER_FIGURES)},
    ]
    egress = [{"ports": _tcp(PORT, _STATUS), "to": [_DATABASES]}, {"ports": _tcp(*_KUBERNETES)}]
    return _policy("database", labels("database"), ingress=ingress, egress=egress)


def _pooler(file: FleetFile) -> Object:
    ingress = [
        {"from": _callers(), "ports": _tcp(PORT)},
        {"from": [_monitoring(file)], "ports": _tcp(_POOLER_FIGURES)},
    ]
    egress = [{"ports": _tcp(PORT), "to": [_DATABASES]}, {"ports": _tcp(*_KUBERNETES)}]
    return _policy("pooler", labels("pooler"), ingress=ingress, egress=egress)


def _callers() -> list[Object]:
    return [pods_of(caller) for caller in _CALLERS]


def _monitoring(file: FleetFile) -> Object:
    return _namespace(file.kubernetes.monitoring_namespace)


def _policy(name: str, pods: dict[str, str], **rules: list[Object]) -> Object:
    """`rules`: ingress, egress or both; an empty list allows nothing that way."""
    spec: Object = {
        "podSelector": {"matchLabels": pods} if pods else {},
        "policyTypes": [way.capitalize() for way in sorted(rules)],
        **{way: listed for way, listed in rules.items() if listed},
    }
    return named(_API, "NetworkPolicy", name, spec)


def _namespace(name: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _tcp(*ports: int) -> list[Object]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _names() -> Object:
    servers = _namespace("kube-system") | {"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    ports = [{"port": 53, "protocol": protocol} for protocol in ("TCP", "UDP")]
    return {"ports": ports, "to": [servers]}

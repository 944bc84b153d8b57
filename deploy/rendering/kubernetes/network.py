"""Who may speak to whom: nobody, and then what each part needs."""

from __future__ import annotations

from deploy.fleet.file import FleetFile
from deploy.rendering.kubernetes.databases import PORT
from deploy.rendering.kubernetes.objects import Object, labels, named
from deploy.rendering.kubernetes.services import HTTP

_API = "networking.k8s.io/v1"
_STATUS = 8000  # of CloudNativePG's instances
_SERVER_FIGURES, _POOLER_FIGURES = 9187, 9127
_CALLERS = ("router", "worker", "command")


def policies(file: FleetFile) -> list[Object]:
    """Every NetworkPolicy; what none allows is dropped."""
    kubernetes, storage = file.kubernetes, file.storage
    databases, poolers = [_ours("database")], [_ours("pooler")]
    monitoring = _namespace(kubernetes.monitoring_namespace)
    operator = _namespace(kubernetes.operator_namespace)
    callers = [_ours(caller) for caller in _CALLERS]
    servers = {"ports": _tcp(PORT), "to": databases + poolers}
    # Blobs, and the key service: their addresses are their owners', and change.
    outside = {
        "ports": _tcp(*sorted({443, storage.port})),
        "to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}],
    }
    # Instances and poolers of CloudNativePG ask Kubernetes what they shall be.
    kubernetes_api = {"ports": _tcp(443, 6443)}
    return [
        _policy("deny-all", {}, ingress=[], egress=[]),
        _policy("names", {}, egress=[_names()]),
        *(
            _policy(f"{caller}-out", labels(caller), egress=[servers, outside])
            for caller in _CALLERS
        ),
        _policy(
            "router-in",
            labels("router"),
            ingress=[
                # Routers tell their figures where they serve; who may read them is theirs to say.
                {
                    "from": [_namespace(kubernetes.ingress_namespace), monitoring],
                    "ports": _tcp(HTTP),
                },
            ],
        ),
        _policy(
            "worker-in",
            labels("worker"),
            ingress=[{"from": [monitoring], "ports": _tcp(file.prometheus.worker_port)}],
        ),
        _policy(
            "database",
            labels("database"),
            ingress=[
                # Servers follow each other, and in a move one shard subscribes to another.
                {"from": databases + poolers + callers, "ports": _tcp(PORT)},
                {"from": [*databases, operator], "ports": _tcp(_STATUS)},
                {"from": [operator], "ports": _tcp(PORT)},
                {"from": [monitoring], "ports": _tcp(_SERVER_FIGURES)},
            ],
            egress=[
                {"ports": _tcp(PORT, _STATUS), "to": databases},
                kubernetes_api,
            ],
        ),
        _policy(
            "pooler",
            labels("pooler"),
            ingress=[
                {"from": callers, "ports": _tcp(PORT)},
                {"from": [monitoring], "ports": _tcp(_POOLER_FIGURES)},
            ],
            egress=[{"ports": _tcp(PORT), "to": databases}, kubernetes_api],
        ),
    ]


def _policy(name: str, pods: dict[str, str], **rules: list[Object]) -> Object:
    """`rules`: ingress, egress or both; an empty list allows nothing that way."""
    spec: Object = {
        "podSelector": {"matchLabels": pods} if pods else {},
        "policyTypes": [way.capitalize() for way in sorted(rules)],
        **{way: listed for way, listed in rules.items() if listed},
    }
    return named(_API, "NetworkPolicy", name, spec)


def _ours(component: str) -> Object:
    return {"podSelector": {"matchLabels": labels(component)}}


def _namespace(name: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _tcp(*ports: int) -> list[Object]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _names() -> Object:
    servers = _namespace("kube-system") | {"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    ports = [{"port": 53, "protocol": protocol} for protocol in ("TCP", "UDP")]
    return {"ports": ports, "to": [servers]}

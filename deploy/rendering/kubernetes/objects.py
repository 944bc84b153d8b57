"""What objects of Kubernetes have in common."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
"""One object, as it stands in YAML."""

NAME = "docshard"
TLS = "/projected/docshard/ca.crt"
"""Where the authority stands in every pod, servers' too: CloudNativePG mounts what one projects at
/projected, and in a move one server reads it to subscribe to another."""
AUTHORITY = "docshard-ca"
"""The Secret with ca.crt and ca.key: CloudNativePG signs the servers' certificates with it."""
SETTINGS = "docshard-settings"


def labels(component: str) -> dict[str, str]:
    """By which a part is found."""
    return {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": component}


def named(api: str, kind: str, name: str, spec: Object, component: str | None = None) -> Object:
    """An object with its spec; the namespace is kustomize's to give."""
    metadata: Object = {"name": name}
    if component:
        metadata["labels"] = labels(component)
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}


def account(name: str) -> Object:
    """A ServiceAccount that may ask nothing of Kubernetes."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name},
        "automountServiceAccountToken": False,
    }

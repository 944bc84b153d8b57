"""A pod of ours: who it is, what it may do, what it is told and where its secrets stand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from deploy.fleet.file import FleetFile
from deploy.rendering.kubernetes.objects import AUTHORITY, NAME, SETTINGS, TLS, Object, labels
from deploy.rendering.service import SECRETS, STORAGE_SECRETS

_USER = 10001
_SECRETS = "/run/secrets/docshard"


@dataclass(frozen=True)
class Container:
    """What runs in a pod: `role` says which passwords it gets."""

    name: str
    role: str
    command: tuple[str, ...]
    cpu: str = "500m"
    memory: str = "1Gi"
    environment: tuple[tuple[str, str], ...] = ()
    superuser_of: str | None = None
    """The cluster whose superuser's password it is given."""


def pod(file: FleetFile, component: str, containers: list[Object], **more: object) -> Object:
    """A pod's template; all its containers have the role's secrets in view."""
    role = component if component in SECRETS else "command"
    spec: Object = {
        "automountServiceAccountToken": False,
        "containers": containers,
        "enableServiceLinks": False,
        "securityContext": {
            "fsGroup": _USER,
            "runAsGroup": _USER,
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "serviceAccountName": f"{NAME}-{role}",
        "terminationGracePeriodSeconds": 60,
        "volumes": [
            _projected("secrets", NAME, [*SECRETS[role], *STORAGE_SECRETS]),
            _projected("authority", AUTHORITY, ["ca.crt"]),
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        ],
    }
    return {"metadata": {"labels": labels(component)}, "spec": spec | more}


def _projected(volume: str, secret: str, keys: list[str]) -> Object:
    """Of a Secret these keys alone, readable by our group."""
    items = [{"key": key, "path": key} for key in sorted(keys)]
    return {
        "name": volume,
        "secret": {"secretName": secret, "defaultMode": 0o440, "items": items},
    }


def container(file: FleetFile, one: Container, **more: object) -> Object:
    """A container that may write to /tmp and to nothing else."""
    environment = [
        {"name": "DOCSHARD_SECRETS_DIR", "value": _SECRETS},
        *({"name": name, "value": value} for name, value in one.environment),
        *_superuser(one.superuser_of),
    ]
    described: Object = {
        "name": one.name,
        "image": file.service.image,
        "command": list(one.command),
        "env": environment,
        "envFrom": [{"configMapRef": {"name": SETTINGS}}],
        # Processor time is shared by weight: a limit would only make requests wait.
        "resources": {
            "limits": {"memory": one.memory},
            "requests": {"cpu": one.cpu, "memory": one.memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "authority", "mountPath": str(PurePosixPath(TLS).parent), "readOnly": True},
            {"name": "secrets", "mountPath": _SECRETS, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the container
        ],
    }
    return described | more


def _superuser(cluster: str | None) -> list[Object]:
    """libpq takes it from the environment; it lives as long as the one command."""
    if cluster is None:
        return []
    found = {"secretKeyRef": {"name": f"{cluster}-superuser", "key": "password"}}
    return [{"name": "PGPASSWORD", "valueFrom": found}]

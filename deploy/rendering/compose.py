"""Compose: all of a fleet on one machine, in containers, with several shards.

One machine has no second place for a replica: each cluster is one server here, and nothing fails
over. Who needs that renders for hosts or for Kubernetes.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from deploy.fleet.file import FleetFile
from deploy.fleet.model import Cluster
from deploy.fleet.postgres import initdb_options
from deploy.rendering import yaml
from deploy.rendering.alerts import container_groups
from deploy.rendering.prometheus import configuration
from deploy.rendering.service import (
    SECRETS,
    STORAGE_SECRETS,
    service_variables,
    worker_variables,
)
from deploy.rendering.target import Files, header

TARGET = "compose"
_SECRETS = PurePosixPath("/run/secrets")
_SERVICE_USER = "10001:10001"
_SERVER_USER = "999:999"  # of the official image
_SERVER_FILES = ("server.crt", "server.key", "superuser_password")
_HTTP = 8080
_FOUND = "15s"  # how often Prometheus asks which containers there are


def render(file: FleetFile) -> Files:
    """compose/compose.yaml, and compose/prometheus/ for a Prometheus in the same networks."""
    head = header(TARGET, file.fleet.name)
    texts = {
        "compose.yaml": yaml.documents(_project(file)),
        "prometheus/prometheus.yml": yaml.documents(configuration(file, _jobs(file))),
        "prometheus/rules.yml": yaml.documents({"groups": container_groups()}),
    }
    return {PurePosixPath(TARGET, name): head + text for name, text in texts.items()}


def _jobs(file: FleetFile) -> list[yaml.Value]:
    """A service's name leads to each of its containers, however many there are."""
    ports = {"router": _HTTP, "worker": file.prometheus.worker_port}
    return [
        {
            "dns_sd_configs": [
                {"names": [name], "port": port, "refresh_interval": _FOUND, "type": "A"}
            ],
            "job_name": name,
        }
        for name, port in ports.items()
    ]


def _project(file: FleetFile) -> dict[str, yaml.Value]:
    clusters = file.model.clusters
    services = {cluster.name: _server(file, cluster) for cluster in clusters}
    services |= {f"prepare-{cluster.name}": _prepare(file, cluster) for cluster in clusters}
    services |= {
        "migrate": _migrate(file),
        "router": _router(file),
        "worker": _worker(file),
        "command": _command(file),
    }
    return {
        "name": file.fleet.name,
        "services": services,
        "networks": {
            # Servers are reached from here alone, and reach nothing outside.
            "data": {"internal": True},
            "outside": {},
        },
        "secrets": {
            name: {"file": f"${{DOCSHARD_SECRETS:-./secrets}}/{name}"} for name in _all_secrets()
        },
        "volumes": {cluster.name: {} for cluster in clusters},
    }


def _all_secrets() -> list[str]:
    ours = {name for names in SECRETS.values() for name in names}
    return sorted(ours | {*STORAGE_SECRETS, *_SERVER_FILES, "ca.crt", "pgpass"})


def _hardened(user: str, memory: str, cpus: str, tmpfs: list[str]) -> dict[str, Any]:
    """What every container is denied, and how much it may take."""
    return {
        "cap_drop": ["ALL"],
        "deploy": {"resources": {"limits": {"cpus": cpus, "memory": memory, "pids": 512}}},
        "init": True,
        "logging": {"driver": "local", "options": {"max-file": "5", "max-size": "20m"}},
        "read_only": True,
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": tmpfs,
        "user": user,
    }


def _server(file: FleetFile, cluster: Cluster) -> dict[str, yaml.Value]:
    return {
        **_hardened(
            _SERVER_USER,
            file.postgres.memory.replace("Gi", "g").replace("Mi", "m"),
            "4",
            ["/tmp:mode=1777,size=64m", "/run/postgresql:mode=0775,uid=999,gid=999"],  # noqa: S108 - of the container
        ),
        "command": ["postgres", *_settings(file)],
        "environment": {
            "POSTGRES_INITDB_ARGS": _initdb(file),
            "POSTGRES_PASSWORD_FILE": str(_SECRETS / "superuser_password"),
            # The image asks for a password over TCP by itself; all else is said here.
            "POSTGRES_HOST_AUTH_METHOD": "scram-sha-256",
        },
        "healthcheck": {
            "interval": "5s",
            "retries": 12,
            "start_period": "60s",
            "test": ["CMD", "pg_isready", "--host=127.0.0.1", "--username=postgres"],
            "timeout": "3s",
        },
        "image": f"postgres:{file.postgres.version}-bookworm",
        "networks": ["data"],
        "restart": "unless-stopped",
        "secrets": list(_SERVER_FILES),
        # A server that is stopped writes a checkpoint first.
        "stop_grace_period": "120s",
        "volumes": [f"{cluster.name}:/var/lib/postgresql/data"],
    }


def _settings(file: FleetFile) -> list[str]:
    # While the image makes a cluster it reaches it through the socket; archiving is the hosts'.
    others = ("unix_socket_", "archive_", "restore_")
    settings = {key: told for key, told in file.settings().items() if not key.startswith(others)}
    settings |= {
        "listen_addresses": "*",
        "ssl": "on",
        "ssl_cert_file": str(_SECRETS / "server.crt"),
        "ssl_key_file": str(_SECRETS / "server.key"),
    }
    # A dollar is compose's own.
    words = (f"{key}={value}".replace("$", "$$") for key, value in sorted(settings.items()))
    return [part for word in words for part in ("-c", word)]


def _initdb(file: FleetFile) -> str:
    options = initdb_options(file.postgres.version)
    given = (
        f"--{name}" if value is None else f"--{name}={value}"
        for name, value in sorted(options.items())
        # The image says who gets in itself, and would say it twice.
        if name != "auth"
    )
    return " ".join(given)


def _service(file: FleetFile, role: str, memory: str, cpus: str) -> dict[str, yaml.Value]:
    """What router, worker and command have in common."""
    cluster = file.model.global_cluster
    node = {"name": cluster.name, "host": cluster.name, "port": 5432, "pooler": None}
    variables = service_variables(file, [node], str(_SECRETS / "ca.crt"))
    return {
        **_hardened(_SERVICE_USER, memory, cpus, ["/tmp:mode=1777,size=256m"]),  # noqa: S108 - of the container
        "environment": {
            **{name: value.replace("$", "$$") for name, value in variables.items()},
            "DOCSHARD_SECRETS_DIR": str(_SECRETS),
        },
        "image": f"${{DOCSHARD_IMAGE:-{file.service.image}}}",
        "networks": ["data", "outside"],
        "secrets": ["ca.crt", *SECRETS[role], *STORAGE_SECRETS],
    }


def _router(file: FleetFile) -> dict[str, yaml.Value]:
    service = _service(file, "router", "2g", "4")
    environment = {
        **_mapping(service["environment"]),
        "DOCSHARD_LISTEN_HOST": "0.0.0.0",  # noqa: S104 - inside the container
        "DOCSHARD_LISTEN_PORT": str(_HTTP),
        "DOCSHARD_ROUTER_WORKERS": str(file.model.router.workers),
    }
    return service | {
        "depends_on": {"migrate": {"condition": "service_completed_successfully"}},
        "environment": environment,
        "healthcheck": _asked(_HTTP, "/readyz"),
        # The only port that leaves the machine, once a proxy with TLS stands before it.
        "ports": [f"${{DOCSHARD_PUBLISH:-127.0.0.1:{_HTTP}}}:{_HTTP}"],
        "restart": "unless-stopped",
        "stop_grace_period": "60s",
    }


def _worker(file: FleetFile) -> dict[str, yaml.Value]:
    service = _service(file, "worker", "2g", "2")
    return service | {
        "command": ["docshard", "worker"],
        "depends_on": {"migrate": {"condition": "service_completed_successfully"}},
        "environment": {**_mapping(service["environment"]), **worker_variables(file)},
        "healthcheck": _asked(file.prometheus.worker_port, "/metrics"),
        # It ends when it cannot go on; leases let another take over meanwhile.
        "restart": "unless-stopped",
        "scale": len(file.model.workers),
        "stop_grace_period": "60s",
    }


def _asked(port: int, path: str) -> dict[str, yaml.Value]:
    """Whether it answers, asked from inside."""
    question = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{port}{path}', timeout=2)"
    return {
        "interval": "5s",
        "retries": 3,
        "start_period": "30s",
        "test": ["CMD", "python", "-c", question],
        "timeout": "4s",
    }


def _command(file: FleetFile) -> dict[str, yaml.Value]:
    """`docker compose run --rm command doctor`."""
    return _service(file, "command", "1g", "2") | {
        "entrypoint": ["docshard"],
        "profiles": ["command"],
    }


def _prepare(file: FleetFile, cluster: Cluster) -> dict[str, yaml.Value]:
    """Roles and extensions, at every start: repeating it changes only passwords."""
    superuser = (
        f"host={cluster.name} user=postgres dbname=postgres"
        f" sslmode=verify-full sslrootcert={_SECRETS / 'ca.crt'}"
    )
    service = _service(file, "command", "512m", "1")
    return service | {
        "command": ["docshard", "shard", "prepare", superuser],
        "depends_on": {cluster.name: {"condition": "service_healthy"}},
        "environment": {
            **_mapping(service["environment"]),
            "PGPASSFILE": str(_SECRETS / "pgpass"),
        },
        "networks": ["data"],
        "restart": "on-failure",
        "secrets": ["ca.crt", "pgpass", *SECRETS["command"], *STORAGE_SECRETS],
    }


def _migrate(file: FleetFile) -> dict[str, yaml.Value]:
    prepared = {f"prepare-{cluster.name}" for cluster in file.model.clusters}
    return _service(file, "command", "512m", "1") | {
        "command": ["docshard", "migrate", "up"],
        "depends_on": {
            name: {"condition": "service_completed_successfully"} for name in sorted(prepared)
        },
        "networks": ["data"],
        "restart": "on-failure",
    }


def _mapping(value: yaml.Value) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}

"""Router, worker, and the command as Jobs."""

from __future__ import annotations

from deploy.fleet.file import FleetFile
from deploy.fleet.model import Cluster
from deploy.rendering.kubernetes.objects import NAME, TLS, Object, labels, named
from deploy.rendering.kubernetes.pods import Container, container, pod
from deploy.rendering.service import worker_variables

HTTP = 8080
FIGURES = "metrics"
"""The name of a worker's port; a router tells its figures where it serves."""


def router(file: FleetFile) -> list[Object]:
    """The API: a Deployment that never has less than it should, its Service and its budget."""
    routers = file.model.routers
    described = Container(
        name="router",
        role="router",
        command=("python", "-P", "-m", "router"),
        cpu=str(routers[0].workers),
        memory="2Gi",
        environment=(
            ("DOCSHARD_LISTEN_HOST", "0.0.0.0"),  # noqa: S104 - inside the pod
            ("DOCSHARD_LISTEN_PORT", str(HTTP)),
            ("DOCSHARD_ROUTER_WORKERS", str(routers[0].workers)),
        ),
    )
    running = container(
        file,
        described,
        ports=[{"name": "http", "containerPort": HTTP}],
        startupProbe=_probe("/healthz", "http", seconds=2, failures=30),
        livenessProbe=_probe("/healthz", "http", seconds=10, failures=3),
        # Says no while the directory or every shard is away: others may reach them.
        readinessProbe=_probe("/readyz", "http", seconds=2, failures=2),
        # Requests still come until every node has heard that this pod leaves.
        lifecycle={"preStop": {"sleep": {"seconds": 5}}},
    )
    template = pod(file, "router", [running], topologySpreadConstraints=_spread("router"))
    return [
        _deployment("router", len(routers), template),
        _service("router"),
        _budget("router"),
    ]


def worker(file: FleetFile) -> list[Object]:
    """Background work. It serves nobody but who collects figures: it ends when it cannot go on, and
    its leases pass to another meanwhile. One that does not even tell figures is stuck."""
    described = Container(
        name="worker",
        role="worker",
        command=("docshard", "worker"),
        environment=tuple(worker_variables(file).items()),
    )
    running = container(
        file,
        described,
        ports=[{"name": FIGURES, "containerPort": file.prometheus.worker_port}],
        startupProbe=_probe("/metrics", FIGURES, seconds=2, failures=30),
        livenessProbe=_probe("/metrics", FIGURES, seconds=10, failures=6),
    )
    template = pod(file, "worker", [running], topologySpreadConstraints=_spread("worker"))
    return [
        _deployment("worker", len(file.model.workers), template),
        _budget("worker"),
    ]


def command(file: FleetFile) -> Object:
    """A pod for operators to work in, when they scale it up: it does nothing by itself."""
    idle = container(file, Container("command", "command", ("sleep", "infinity"), cpu="100m"))
    return _deployment("command", 0, pod(file, "command", [idle]))


def doctor(file: FleetFile) -> list[Object]:
    """`docshard doctor` each hour, and at night a deep look at a sample; findings fail the Job."""
    return [
        _timed(file, "doctor", "17 * * * *", ("docshard", "doctor"), minutes=15),
        _timed(
            file,
            "doctor-deep",
            "40 2 * * *",
            ("docshard", "doctor", "--deep", "--sample", "1%"),
            minutes=180,
        ),
    ]


def prepare(file: FleetFile) -> Object:
    """Roles and extensions on every cluster, then the schemas: once, and before each upgrade."""
    first = [
        container(
            file,
            Container(
                name=f"prepare-{cluster.name}",
                role="command",
                command=("docshard", "shard", "prepare", _superuser(cluster)),
                superuser_of=cluster.name,
            ),
        )
        for cluster in file.model.clusters
    ]
    then = container(file, Container("migrate", "command", ("docshard", "migrate", "up")))
    template = pod(file, "command", [then], initContainers=first, restartPolicy="OnFailure")
    spec = {
        "activeDeadlineSeconds": 1800,
        "backoffLimit": 10,
        "template": template,
        # A Job is never changed: gone, the next release's can be applied under its name.
        "ttlSecondsAfterFinished": 600,
    }
    return named("batch/v1", "Job", "prepare", spec, "command")


def _superuser(cluster: Cluster) -> str:
    return (
        f"host={cluster.name}-rw port=5432 user=postgres dbname=postgres"
        f" sslmode=verify-full sslrootcert={TLS}"
    )


def _deployment(component: str, replicas: int, template: Object) -> Object:
    spec = {
        "replicas": replicas,
        "revisionHistoryLimit": 5,
        "selector": {"matchLabels": labels(component)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        },
        "template": template,
    }
    return named("apps/v1", "Deployment", component, spec, component)


def _probe(path: str, port: str, *, seconds: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": seconds,
        "failureThreshold": failures,
        "timeoutSeconds": 2,
    }


def _spread(component: str) -> list[Object]:
    return [
        {
            "labelSelector": {"matchLabels": labels(component)},
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def _service(component: str) -> Object:
    spec = {
        "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        "selector": labels(component),
        "type": "ClusterIP",
    }
    return named("v1", "Service", component, spec, component)


def _budget(component: str) -> Object:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": labels(component)}}
    return named("policy/v1", "PodDisruptionBudget", component, spec, component)


def _timed(
    file: FleetFile, name: str, schedule: str, command: tuple[str, ...], *, minutes: int
) -> Object:
    running = container(file, Container(name, "command", command))
    job = {
        "activeDeadlineSeconds": minutes * 60,
        # Status 6 means findings: another try would find them again.
        "backoffLimit": 0,
        "template": pod(file, "command", [running], restartPolicy="Never"),
    }
    spec = {
        "concurrencyPolicy": "Forbid",
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"spec": job},
        "schedule": schedule,
        "startingDeadlineSeconds": 600,
        "successfulJobsHistoryLimit": 1,
        "timeZone": "Etc/UTC",
    }
    return named("batch/v1", "CronJob", f"{NAME}-{name}", spec, "command")

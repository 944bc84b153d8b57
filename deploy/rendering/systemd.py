"""systemd: a unit for each process, on the host where it belongs, and timers for backups.

Every unit may do as little as its program needs: no new privileges, no devices, a file system that
is read-only but for its own folder, system calls of services alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from deploy.fleet.etcd import etcd_options
from deploy.fleet.file import FleetFile
from deploy.fleet.pgbouncer import sockets_of
from deploy.fleet.pooler_plan import pooler_processes
from deploy.fleet.seaweed import MEMORY, weed_options
from deploy.fleet.templates import TEMPLATES
from deploy.rendering import accounts, patroni, pgbackrest
from deploy.rendering.prometheus import worker_addresses
from deploy.rendering.service import backup_variables, service_variables
from deploy.rendering.target import Files, header
from deploy.rendering.timers import tasks
from deploy.rendering.unit import Unit

TARGET = "systemd"
_ETCD_DATA = PurePosixPath("/var/lib/docshard/etcd")
_POOLERS = PurePosixPath("/etc/docshard")
_VARIABLES = "docshard.env"


def render(file: FleetFile) -> Files:
    """systemd/<host>/docshard-<part>.service for each process of the fleet and each task of a
    timer, whose own file stands beside it; systemd/<host>/docshard.env, the variables without
    secrets of routers and workers; and what `accounts` says of each host."""
    head = header(TARGET, file.fleet.name)
    told = sorted((backup_variables(file) | service_variables(file)).items())
    variables = "".join(f"{name}={_quoted(value)}\n" for name, value in told)
    texts = dict(_unit_files(file)) | dict(_task_files(file))
    texts |= {PurePosixPath(TARGET, unit.host, _VARIABLES): variables for unit in _services(file)}
    texts |= {
        PurePosixPath(TARGET, path): text for path, text in accounts.render(list(units(file)))
    }
    return {path: head + text for path, text in texts.items()}


def _unit_files(file: FleetFile) -> Iterator[tuple[PurePosixPath, str]]:
    template = TEMPLATES.get_template("unit.service.j2")
    for unit in units(file):
        path = PurePosixPath(TARGET, unit.host, f"docshard-{unit.name}.service")
        yield path, template.render(unit=unit)


def _task_files(file: FleetFile) -> Iterator[tuple[PurePosixPath, str]]:
    for task in tasks(file):
        for kind in ("service", "timer"):
            path = PurePosixPath(TARGET, task.host, f"docshard-{task.name}.{kind}")
            yield path, TEMPLATES.get_template(f"task.{kind}.j2").render(task=task)


def units(file: FleetFile) -> Iterator[Unit]:
    """Every process, in the order in which hosts are set up: what others stand on comes first."""
    yield from _etcd(file)
    yield from _storage(file)
    yield from _servers(file)
    yield from _poolers(file)
    yield from _services(file)


def _etcd(file: FleetFile) -> Iterator[Unit]:
    for member in file.model.etcd:
        data = _ETCD_DATA / member.name
        options = etcd_options(file.model, member, data)
        yield Unit(
            name=member.name,
            host=member.address.host,
            what="etcd, where clusters agree on their primaries",
            user="etcd",
            command=_line(
                "/usr/bin/etcd", *(f"--{name}={value}" for name, value in options.items())
            ),
            writes=(str(data),),
        )


def _storage(file: FleetFile) -> Iterator[Unit]:
    server, storage = file.storage.server, file.model.storage
    if server is None:
        return
    options = weed_options(
        storage.address, PurePosixPath(server.data), PurePosixPath(server.identities)
    )
    # S3 speaks TLS alone where no second port is named.
    secured = (f"-s3.cert.file={server.certificate}", f"-s3.key.file={server.key}")
    yield Unit(
        name=storage.name,
        host=storage.address.host,
        what="SeaweedFS, where blobs lie",
        user=server.user,
        command=_line("/usr/bin/env", f"GOMEMLIMIT={MEMORY}", server.program, *options, *secured),
        environment=(server.environment,),
        secrets=(server.identities, server.key),
        writes=(server.data,),
    )


def _servers(file: FleetFile) -> Iterator[Unit]:
    for cluster in file.model.clusters:
        for node in cluster.nodes:
            if not node.patroni:
                continue
            yield Unit(
                name=node.name,
                host=node.address.host,
                what=f"PostgreSQL of {cluster.name} under Patroni",
                user="postgres",
                command=_line("/usr/bin/patroni", str(patroni.configuration_of(node.name))),
                environment=(str(patroni.FOLDER / f"{node.name}.env"),),
                secrets=(file.postgres.tls.key,) if file.postgres.tls else (),
                writes=(file.postgres.data, *([str(pgbackrest.WORK)] if file.backups else [])),
                runs=("docshard",),
                # A server that is stopped writes a checkpoint first.
                stop_seconds=120,
                reloads=True,
                # Patroni ends its server itself; killed with it, the server would have to recover.
                kill_mode="mixed",
            )


def _poolers(file: FleetFile) -> Iterator[Unit]:
    for process in pooler_processes(file):
        pooler = process.pooler
        number = f"-{process.instance}" if pooler.instances > 1 else ""
        yield Unit(
            name=f"{pooler.name}{number}",
            host=pooler.address.host,
            what=f"PgBouncer before {process.cluster.name}",
            user="postgres",
            command=_line("/usr/sbin/pgbouncer", str(_POOLERS / process.path)),
            secrets=(
                str(process.files.auth_file),
                *([tls.key] if (tls := process.files.tls) else []),
            ),
            runs=(str(sockets_of(pooler, process.instance)),) if pooler.instances > 1 else (),
            reloads=True,
        )


def _services(file: FleetFile) -> Iterator[Unit]:
    service, fleet = file.service, file.model
    python = PurePosixPath(service.programs, "python")
    environment = (str(_variables_path(file)), service.environment)
    for router in fleet.routers:
        address = router.address
        yield Unit(
            name=router.name,
            host=address.host,
            what="the API of docshard",
            command=_line(
                "/usr/bin/env",
                f"DOCSHARD_LISTEN_HOST={address.host}",
                f"DOCSHARD_LISTEN_PORT={address.port}",
                f"DOCSHARD_ROUTER_WORKERS={router.workers}",
                *(str(python), "-P", "-m", "router"),
            ),
            # Requests that run when it is told to stop are answered first.
            stop_seconds=60,
            user=service.user,
            environment=environment,
        )
    figures = worker_addresses(file)
    for worker in fleet.workers:
        host, _, port = figures[worker.name].rpartition(":")
        yield Unit(
            name=worker.name,
            host=worker.host or "",
            what="background work of docshard",
            command=_line(
                "/usr/bin/env",
                f"DOCSHARD_METRICS_HOST={host}",
                f"DOCSHARD_METRICS_PORT={port}",
                *(str(PurePosixPath(service.programs, "docshard")), "worker"),
            ),
            user=service.user,
            environment=environment,
        )


def _variables_path(file: FleetFile) -> PurePosixPath:
    """Where docshard.env is to stand: beside the file with the secrets."""
    return PurePosixPath(file.service.environment).parent / _VARIABLES


def _quoted(value: str) -> str:
    """A value as systemd and shells read it in a file of variables."""
    return '"' + re.sub(r'(["\\$`])', r"\\\1", value) + '"'


def _line(*words: str) -> str:
    """A command line as systemd splits it; none of our words has a blank or a quote."""
    return " ".join(word.replace("%", "%%").replace("$", "$$") for word in words)

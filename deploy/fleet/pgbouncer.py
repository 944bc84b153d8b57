"""PgBouncer's configuration, for the version that will read it.

Old versions exit on keys they do not know, so the template asks for the version.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath, PurePosixPath

from deploy.fleet.model import DATABASE, Cluster, Node, Pooler
from deploy.fleet.sections import Tls
from deploy.fleet.sizing import Connections
from deploy.fleet.templates import TEMPLATES
from deploy.fleet.versions import Version, shown

# The only roles that pass a pooler: sessions of all others keep state or replicate.
POOLED_ROLES = ("docshard_app", "docshard_worker", "docshard_probe")
PROBE_ROLE = "docshard_probe"
ASKING_ROLE = "docshard_pooler"

RUN = PurePosixPath("/run")

PEERS_SINCE: Version = (1, 19)
_OPTIONS_SINCE: Version = (1, 20)
# 1.21 has prepared statements, too; DEALLOCATE ALL passes since 1.22.
_PREPARED_SINCE: Version = (1, 22)


class PoolerRefused(ValueError):
    """A pooler cannot be configured as the fleet asks; the message says why and what to do."""


@dataclass(frozen=True)
class PoolerFiles:
    """Where the configuration stands and who will read it.

    With `asks_servers` the servers are asked for verifiers by the role `docshard_pooler`; without,
    the passwords of all pooled roles stand in `auth_file`.
    """

    version: Version
    auth_file: PurePath
    connections: Connections = field(default_factory=Connections)
    max_client_conn: int = 500
    asks_servers: bool = False
    tls: Tls | None = None


def render_pooler(cluster: Cluster, pooler: Pooler, files: PoolerFiles, instance: int = 1) -> str:
    """The text of pgbouncer.ini for one process of a pooler; `instance` counts from 1.

    Raises:
        PoolerRefused: several processes, and a version that knows no peers.
    """
    check_instances(pooler, files)
    return TEMPLATES.get_template("pgbouncer.ini.j2").render(
        cluster=cluster,
        pooler=pooler,
        nodes=served(cluster, pooler),
        database=DATABASE,
        run=RUN,
        version=shown(files.version),
        files=files,
        peers=[sockets_of(pooler, number) for number in range(1, pooler.instances + 1)],
        instance=instance,
        stats_users=[PROBE_ROLE],
        asking_role=ASKING_ROLE,
        knows_prepared=files.version >= _PREPARED_SINCE,
        knows_options=files.version >= _OPTIONS_SINCE,
        connections=files.connections,
    )


def served(cluster: Cluster, pooler: Pooler) -> list[Node]:
    """The nodes that a pooler stands before."""
    return [node for node in cluster.nodes if pooler.serves(node)]


def sockets_of(pooler: Pooler, instance: int) -> PurePosixPath:
    """The folder, below `RUN`, in which the others on its port reach one of several processes."""
    return PurePosixPath("docshard", f"{pooler.name}-{instance}")


def check_instances(pooler: Pooler, files: PoolerFiles) -> None:
    """Refuse several processes where the version knows no peers.

    Raises:
        PoolerRefused.
    """
    if pooler.instances > 1 and files.version < PEERS_SINCE:
        raise PoolerRefused(
            f"{pooler.name}: several processes on one port need PgBouncer"
            f" {shown(PEERS_SINCE)} or newer: requests to cancel a query reach any of them, and"
            f" {shown(files.version)} cannot pass them on; set instances to 1"
        )


def processes_before(cluster: Cluster, pooler: Pooler) -> int:
    """How many processes share the connections of the busiest server that this pooler serves."""
    return max(
        sum(other.instances for other in cluster.poolers_of(node))
        for node in served(cluster, pooler)
    )


def render_users(passwords: Mapping[str, str], *, asks_servers: bool = False) -> str:
    """The text of userlist.txt: the roles that this file must know, with their passwords.

    Plain text, since SCRAM towards the server needs it unless the verifier came from the server;
    the file's mode keeps it.
    """
    roles = (ASKING_ROLE, PROBE_ROLE) if asks_servers else POOLED_ROLES
    return "".join(f'"{role}" "{_doubled(passwords[role])}"\n' for role in roles)


def parse_pooler(text: str) -> dict[str, dict[str, str]]:
    """The sections of a pgbouncer.ini, each with its keys and values."""
    parser = configparser.ConfigParser(
        comment_prefixes=(";", "#"), delimiters=("=",), interpolation=None, strict=True
    )
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def _doubled(value: str) -> str:
    return value.replace('"', '""')

"""PgBouncer's configuration, for the version that will read it.

Old versions exit on keys they do not know, so the template asks for the version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.fleet.model import DATABASE, Cluster
from deploy.fleet.sizing import Connections
from deploy.fleet.templates import TEMPLATES

Version = tuple[int, int]

# The only roles that pass a pooler: sessions of all others keep state or replicate.
POOLED_ROLES = ("docshard_app", "docshard_worker", "docshard_probe")
PROBE_ROLE = "docshard_probe"


@dataclass(frozen=True)
class PoolerFiles:
    """Where the configuration stands and who will read it."""

    version: Version
    auth_file: Path
    connections: Connections = field(default_factory=Connections)
    max_client_conn: int = 500


def parse_version(text: str) -> Version:
    """(1, 18) out of what `pgbouncer --version` prints.

    Raises:
        ValueError: the text names no version.
    """
    found = re.search(r"PgBouncer (\d+)\.(\d+)", text)
    if not found:
        raise ValueError(f"not a PgBouncer version: {text!r}")
    return int(found[1]), int(found[2])


def render_pooler(cluster: Cluster, files: PoolerFiles) -> str:
    """The text of pgbouncer.ini for a cluster that has a pooler."""
    return TEMPLATES.get_template("pgbouncer.ini.j2").render(
        cluster=cluster,
        database=DATABASE,
        version=files.version,
        auth_file=files.auth_file,
        stats_users=[PROBE_ROLE],
        connections=files.connections,
        max_client_conn=files.max_client_conn,
    )


def render_users(passwords: Mapping[str, str]) -> str:
    """The text of userlist.txt: the pooled roles with their passwords.

    Plain text, since SCRAM towards the server needs it before 1.21 unless the very same
    verifier stands on every server; the file's mode keeps it.
    """
    return "".join(f'"{role}" "{_doubled(passwords[role])}"\n' for role in POOLED_ROLES)


def _doubled(value: str) -> str:
    return value.replace('"', '""')

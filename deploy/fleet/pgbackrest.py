"""pgBackRest's configuration, and what a server is told so that its WAL goes to the repositories.

One text for real servers and the local fleet. It holds no secret: those stand in a folder of files
beside it, see `render_secrets`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from deploy.fleet.model import DATABASE, Backups, Cluster, Node
from deploy.fleet.templates import TEMPLATES
from deploy.fleet.versions import Version

ROLE = "docshard_backup"
ARCHIVE_SECONDS = 60
"""A segment that is not full goes to the repositories after so long: what a disaster can cost."""

# The first release whose notes name that major version of PostgreSQL.
_FIRST_FOR: Mapping[int, Version] = {15: (2, 41), 16: (2, 48), 17: (2, 54), 18: (2, 57)}


@dataclass(frozen=True)
class BackupHost:
    """Where things stand on the machine of one node.

    `secrets` is a folder with files for the servers' user alone, `work` one for locks and logs,
    `authority` what signed the repositories' certificates when the model does not say it.
    """

    data: PurePath
    secrets: PurePath
    work: PurePath
    authority: PurePath | None = None


@dataclass(frozen=True)
class RepositorySecrets:
    """What opens one repository: who we are there, and what its content is enciphered with."""

    access_key: str
    secret_key: str
    passphrase: str


_STANZA = "docshard-"


def stanza_of(cluster: str) -> str:
    """pgBackRest's name of a cluster. Not the bare one: a section [global] is not a stanza's."""
    return _STANZA + cluster


def cluster_of(stanza: str) -> str:
    """The cluster of a stanza."""
    return stanza.removeprefix(_STANZA)


def parse_release(text: str) -> Version:
    """The version in what `pgbackrest version` says.

    Raises:
        ValueError: there is none in it.
    """
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is None:
        raise ValueError(f"not a pgBackRest version: {text!r}")
    return int(found[1]), int(found[2])


def knows(version: Version, major: int) -> bool:
    """Whether this release of pgBackRest can back that PostgreSQL up."""
    first = _FIRST_FOR.get(major)
    return first is not None and version >= first


def render_pgbackrest(backups: Backups, cluster: Cluster, node: Node, host: BackupHost) -> str:
    """The text of a node's pgbackrest.conf; its cluster is a stanza."""
    return TEMPLATES.get_template("pgbackrest.conf.j2").render(
        backups=backups,
        stanza=stanza_of(cluster.name),
        node=node,
        host=host,
        role=ROLE,
        database=DATABASE,
    )


def render_secrets(repositories: Sequence[RepositorySecrets]) -> str:
    """The text of the file in `BackupHost.secrets`, in the order of the fleet's repositories."""
    lines = ["[global]"]
    for number, one in enumerate(repositories, start=1):
        lines += [
            f"repo{number}-s3-key={one.access_key}",
            f"repo{number}-s3-key-secret={one.secret_key}",
            f"repo{number}-cipher-pass={one.passphrase}",
        ]
    return "\n".join([*lines, ""])


def options(configuration: PurePath, secrets: PurePath, cluster: str) -> list[str]:
    """What every call of pgbackrest begins with."""
    return [
        f"--config={configuration}",
        f"--config-include-path={secrets}",
        f"--stanza={stanza_of(cluster)}",
    ]


def archive_settings(
    program: str, configuration: PurePath, host: BackupHost, cluster: str
) -> dict[str, str]:
    """Parameters of a server whose WAL is archived; archive_mode takes a restart."""
    words = [program, *options(configuration, host.secrets, cluster), "archive-push", '"%p"']
    return {
        "archive_mode": "on",
        "archive_command": " ".join(words),
        "archive_timeout": f"{ARCHIVE_SECONDS}s",
    }

"""Patroni's configuration: what each node is told, and what a cluster agrees on in etcd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from deploy.fleet.model import Cluster, Fleet, Node
from deploy.fleet.postgres import (
    REPLICATION_ROLE,
    access_rules,
    initdb_options,
    shared_settings,
)
from deploy.fleet.templates import TEMPLATES

REST_USER = "docshard"
NAMESPACE = "/docshard/"

# Seconds. A primary whose host is gone keeps its leadership for `ttl`; then a replica takes it.
TTL = 20
LOOP_WAIT = 2
RETRY_TIMEOUT = 5


@dataclass(frozen=True)
class PatroniSecrets:
    """Passwords that Patroni needs: the servers' superuser, replication, its own REST API."""

    superuser: str
    replication: str
    rest: str


@dataclass(frozen=True)
class PatroniHost:
    """Where things stand on the machine of one node, and who may connect to it.

    `programs` is the folder with the server's binaries, `passfile` a file that Patroni writes.
    Without `secrets` Patroni takes them from PATRONI_… variables. With an `authority` servers prove
    to each other, and to Patroni, who they are. `parameters` go to the servers of
    the whole cluster by what they agree on, `own_parameters` to this one.
    """

    data: PurePath
    programs: PurePath
    passfile: PurePath
    postgres_major: int
    networks: Sequence[str]
    secrets: PatroniSecrets | None
    authority: PurePath | None = None
    parameters: Mapping[str, str] = field(default_factory=shared_settings)
    own_parameters: Mapping[str, str] = field(default_factory=dict)


def render_patroni(fleet: Fleet, cluster: Cluster, node: Node, host: PatroniHost) -> str:
    """The text of patroni.yml for a node of a fleet that has etcd."""
    return TEMPLATES.get_template("patroni.yml.j2").render(
        etcd=[member.address.text for member in fleet.etcd],
        cluster=cluster,
        node=node,
        host=host,
        namespace=NAMESPACE,
        rest_user=REST_USER,
        replication_role=REPLICATION_ROLE,
        access=access_rules(host.networks, encrypted=host.parameters.get("ssl") == "on"),
        initdb=[
            name if value is None else {name: value}
            for name, value in initdb_options(host.postgres_major).items()
        ],
        agreed=agreed_configuration(host.parameters),
    )


def agreed_configuration(parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """What all nodes of a cluster agree on; it lives in etcd and equals in every cluster."""
    return {
        "ttl": TTL,
        "loop_wait": LOOP_WAIT,
        "retry_timeout": RETRY_TIMEOUT,
        # A dead postmaster is replaced by the replica at once instead of being started again.
        "primary_start_timeout": 0,
        # I1: a commit is acknowledged when a replica has it on disk, and only such a replica may
        # take over. Not strict: without any replica writes go on, and then nobody takes over.
        "synchronous_mode": True,
        "synchronous_mode_strict": False,
        "synchronous_node_count": 1,
        # An outage of etcd alone stops no writes while all nodes of the cluster see each other.
        "failsafe_mode": True,
        # Patroni drops slots that it does not know; those of tenant moves are logical ones.
        "ignore_slots": [{"type": "logical"}],
        "postgresql": {
            "use_slots": True,
            "use_pg_rewind": True,
            # What a former primary has and the present one lacks was never acknowledged.
            "remove_data_directory_on_rewind_failure": True,
            "remove_data_directory_on_diverged_timelines": True,
            "parameters": dict(parameters),
        },
    }

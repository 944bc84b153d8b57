"""The configuration of PostgreSQL and PgBouncer, and how connections are divided."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.fleet.pgbouncer import (
    PoolerFiles,
    render_pooler,
    render_users,
)
from deploy.fleet.planning import Ports, Shape, plan
from deploy.fleet.postgres import (
    render_access,
    render_settings,
    server_settings,
    setting_lines,
    upstream,
)
from deploy.fleet.sizing import Connections
from deploy.fleet.versions import parse_version

FLEET = plan(Shape(shards=1, replicas=2, poolers=True), Ports(8080, is_free=lambda _: True))
SHARD = FLEET.shards[0]


def pooler_settings(version: tuple[int, ...]) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(comment_prefixes=(";",), interpolation=None)
    parser.read_string(
        render_pooler(SHARD, SHARD.poolers[0], PoolerFiles(version, Path("/data/userlist.txt")))
    )
    return parser


def test_the_pooler_offers_one_database_for_each_node() -> None:
    databases = dict(pooler_settings((1, 18))["databases"])
    assert databases == {
        SHARD.pooled_database(node): f"host=127.0.0.1 port={node.address.port} dbname=docshard"
        for node in SHARD.nodes
    }


def test_keys_that_an_old_pooler_does_not_know_are_left_out() -> None:
    assert "max_prepared_statements" not in pooler_settings((1, 18))["pgbouncer"]
    assert "max_prepared_statements" in pooler_settings((1, 22))["pgbouncer"]


def test_the_pooler_lends_connections_by_transaction_and_refuses_to_queue_for_long() -> None:
    settings = pooler_settings((1, 18))["pgbouncer"]
    assert settings["pool_mode"] == "transaction"
    assert settings["auth_type"] == "scram-sha-256"
    assert 5 <= int(settings["query_wait_timeout"]) <= 10
    assert settings["listen_addr"] == "127.0.0.1"
    assert int(settings["default_pool_size"]) <= int(settings["max_db_connections"])


def test_only_pooled_roles_stand_in_the_user_list() -> None:
    roles = ("docshard_app", "docshard_worker", "docshard_probe", "docshard_admin")
    lines = render_users({role: f'{role}"secret' for role in roles}).splitlines()
    assert lines == [
        '"docshard_app" "docshard_app""secret"',
        '"docshard_worker" "docshard_worker""secret"',
        '"docshard_probe" "docshard_probe""secret"',
    ]


@pytest.mark.parametrize(
    ("text", "version"),
    [("PgBouncer 1.18.0\nlibevent 2.1.12", (1, 18, 0)), ("PgBouncer 1.24.1", (1, 24, 1))],
)
def test_the_version_is_read_from_what_the_program_says(
    text: str, version: tuple[int, int]
) -> None:
    assert parse_version(text) == version


def test_something_else_is_no_version() -> None:
    with pytest.raises(ValueError, match="not a PgBouncer version"):
        parse_version("pgbouncer: command not found")


def test_what_is_reserved_is_never_given_to_poolers() -> None:
    connections = Connections(
        max_connections=100, superuser=3, direct=10, moves=10, admin=5, poolers=2
    )
    assert connections.per_pooler == 36
    assert connections.per_user == 27


def test_sizing_refuses_when_the_reserves_eat_the_server() -> None:
    with pytest.raises(ValidationError, match="at least 4 are needed"):
        Connections(max_connections=35)


def test_a_replica_looks_for_the_primary_among_all_other_nodes() -> None:
    replica = SHARD.replicas[0]
    others = [node.address.port for node in SHARD.nodes if node != replica]
    assert f"port={others[0]},{others[1]}" in upstream(SHARD, replica, "secret")
    assert "target_session_attrs=read-write" in upstream(SHARD, replica, "secret")


def test_servers_are_ready_for_moves_and_listen_on_loopback_only() -> None:
    settings = server_settings(SHARD, SHARD.primary, "secret")
    assert settings["wal_level"] == "logical"
    assert settings["listen_addresses"] == "127.0.0.1"
    assert settings["unix_socket_directories"] == ""
    assert "fsync" not in settings


def test_settings_are_quoted() -> None:
    assert "a = 'it''s \\\\ here'" in render_settings({"a": "it's \\ here"})
    assert setting_lines({"a": "one\nb = on"}) == ["a = 'one\\nb = on'"]


def test_nobody_gets_in_without_a_password() -> None:
    lines = [line.split() for line in render_access(["127.0.0.1/32"]).splitlines()[1:]]
    assert {line[-1] for line in lines} == {"scram-sha-256"}
    assert {line[0] for line in lines} == {"host"}

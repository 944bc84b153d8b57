"""What Patroni is told: rendered from the fleet, quoted, and safe by its own rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deploy.fleet.model import Fleet
from deploy.fleet.patroni import (
    LOOP_WAIT,
    RETRY_TIMEOUT,
    TTL,
    PatroniHost,
    PatroniSecrets,
    agreed_configuration,
    render_patroni,
)
from deploy.fleet.planning import Ports, Shape, inner_ports_of, plan, ports_of
from deploy.fleet.postgres import server_settings, shared_settings

HA = Shape(shards=2, replicas=1, poolers=True, ha=True)


def a_fleet(shape: Shape = HA, base: int = 8080) -> Fleet:
    return plan(shape, Ports(base, is_free=lambda _: True))


def a_host(password: str, data: str = "/data/shard-1-primary") -> PatroniHost:
    return PatroniHost(
        data=Path(data),
        programs=Path("/usr/lib/postgresql/18/bin"),
        passfile=Path("/run/pgpass"),
        postgres_major=18,
        networks=["127.0.0.1/32"],
        secrets=PatroniSecrets(superuser=password, replication=password, rest=password),
    )


def rendered(host: PatroniHost) -> dict[str, Any]:
    fleet = a_fleet()
    shard = fleet.shards[0]
    text = render_patroni(fleet, shard, shard.primary, host)
    assert text == render_patroni(fleet, shard, shard.primary, host)
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def test_a_node_is_told_its_place_and_nothing_else() -> None:
    login = {"username": "postgres", "password": "secret"}
    told = rendered(a_host("secret"))
    bootstrap = told.pop("bootstrap")
    assert bootstrap["dcs"] == agreed_configuration(shared_settings())
    assert "data-checksums" in bootstrap["initdb"]
    assert told == {
        "scope": "shard-1",
        "name": "shard-1-primary",
        "namespace": "/docshard/",
        "log": {"level": "INFO", "deduplicate_heartbeat_logs": True},
        "etcd3": {"hosts": ["127.0.0.1:8090"]},
        "restapi": {
            "listen": "127.0.0.1:8129",
            "connect_address": "127.0.0.1:8129",
            "authentication": {"username": "docshard", "password": "secret"},
        },
        "postgresql": {
            "listen": "127.0.0.1:8120",
            "connect_address": "127.0.0.1:8120",
            "data_dir": "/data/shard-1-primary",
            "bin_dir": "/usr/lib/postgresql/18/bin",
            "pgpass": "/run/pgpass",
            "authentication": {
                "superuser": login,
                "replication": {"username": "docshard_mover", "password": "secret"},
                "rewind": login,
            },
            "pg_hba": [
                "host  all          all                  127.0.0.1/32  scram-sha-256",
                "host  replication  docshard_mover  127.0.0.1/32  scram-sha-256",
            ],
            "basebackup": [{"checkpoint": "fast"}],
        },
    }


@settings(deadline=None)
@given(password=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@example(password="\\ud83d\\ude00: {{ # \U0001f600 ' \"")
def test_whatever_a_password_holds_it_stays_one_value(password: str) -> None:
    told = rendered(a_host(password, data=f"/data/{password}"))
    assert told["restapi"]["authentication"]["password"] == password
    assert told["postgresql"]["authentication"]["superuser"]["password"] == password
    assert told["postgresql"]["data_dir"] == str(Path(f"/data/{password}"))


def test_a_leader_has_time_to_renew_its_lease() -> None:
    # Patroni's own rule; else a slow etcd costs a healthy primary its place.
    assert LOOP_WAIT + 2 * RETRY_TIMEOUT <= TTL


def test_no_acknowledged_write_depends_on_one_server() -> None:
    agreed = agreed_configuration(shared_settings())
    assert agreed["synchronous_mode"] is True
    assert "synchronous_commit" not in agreed["postgresql"]["parameters"]


def test_servers_are_set_up_alike_with_patroni_and_without() -> None:
    shard = a_fleet().shards[0]
    alone = server_settings(shard, shard.primary, "secret")
    shared = agreed_configuration(shared_settings())["postgresql"]["parameters"]
    assert shared.items() <= alone.items()
    # What differs is each node's own, and Patroni's to say.
    assert alone.keys() - shared.keys() == {
        *("cluster_name", "listen_addresses", "port", "primary_conninfo", "primary_slot_name")
    }


def test_every_node_has_a_patroni_and_the_names_stay() -> None:
    fleet = a_fleet()
    assert all(node.patroni for cluster in fleet.clusters for node in cluster.nodes)
    plain = [name for name in fleet.names() if name != "etcd"]
    assert plain == list(a_fleet(Shape(shards=2, replicas=1, poolers=True)).names())


def test_putting_a_fleet_under_patroni_moves_no_port() -> None:
    before = ports_of(a_fleet(Shape(shards=2, replicas=1, poolers=True)))
    assert before.items() <= ports_of(a_fleet()).items()


def test_what_is_under_patroni_stays_there() -> None:
    without = Shape(shards=1, replicas=1, poolers=True)
    assert without.grown_to_cover(a_fleet()).ha
    assert not without.grown_to_cover(a_fleet(without)).ha


def test_a_running_node_keeps_the_port_of_its_patroni() -> None:
    inner = inner_ports_of(a_fleet())
    assert inner["shard-1-primary"] == {"shard-1-primary-patroni": 8129}
    assert inner["etcd"] == {"etcd-peer": 8091}
    assert inner["s3"].items() <= ports_of(a_fleet()).items()


@given(replicas=st.integers(1, 8), taken=st.sets(st.integers(8080, 8400), max_size=60))
def test_ports_are_free_and_never_shared(replicas: int, taken: set[int]) -> None:
    shape = Shape(shards=3, replicas=replicas, poolers=True, ha=True)
    ports = ports_of(plan(shape, Ports(8080, lambda port: port not in taken)))
    assert len(set(ports.values())) == len(ports)
    assert not taken & set(ports.values())


def test_the_model_survives_being_written_down() -> None:
    assert Fleet.model_validate_json(a_fleet().model_dump_json()) == a_fleet()

"""The fleet as a value: names, ports, growth, and what services read."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.fleet.environment import (
    Credentials,
    node_addresses,
    parse_environment,
    render_environment,
    service_environment,
)
from deploy.fleet.model import Fleet
from deploy.fleet.planning import GRPC_DISTANCE, Ports, PortsExhausted, Shape, plan, ports_of
from global_db.cluster import NodeAddress

TWO_SHARDS = Shape(shards=2, replicas=1, poolers=True)


def a_fleet(shape: Shape = TWO_SHARDS, base: int = 8080) -> Fleet:
    return plan(shape, Ports(base, is_free=lambda _: True))


def test_names_are_those_that_scripts_rely_on() -> None:
    assert list(a_fleet().names()) == [
        "global-primary",
        "global-replica",
        "global-pgbouncer",
        "shard-1-primary",
        "shard-1-replica",
        "shard-1-pgbouncer",
        "shard-2-primary",
        "shard-2-replica",
        "shard-2-pgbouncer",
        "s3",
        "router",
        "worker",
    ]


def test_a_fleet_that_is_backed_up_has_a_store_in_a_second_region() -> None:
    plain, backed = a_fleet(), a_fleet(replace(TWO_SHARDS, backups=True))
    assert set(backed.names()) - set(plain.names()) == {"s3-far"}
    assert backed.backups is not None
    ports = [one.address.port for one in backed.backups.repositories]
    assert ports == [
        backed.storages[n].inner_ports[f"{backed.storages[n].name}-https"] for n in (0, 1)
    ]
    assert ports_of(plain).items() <= ports_of(backed).items()
    numbers = list(ports_of(backed).values())
    assert len(numbers) == len(set(numbers))


def test_more_replicas_are_numbered_from_two() -> None:
    shard = a_fleet(Shape(shards=1, replicas=3, poolers=True)).shards[0]
    assert [node.name for node in shard.replicas] == [
        "shard-1-replica",
        "shard-1-replica-2",
        "shard-1-replica-3",
    ]
    assert [shard.pooled_database(node) for node in shard.nodes] == [
        "docshard",
        "docshard_replica",
        "docshard_replica_2",
        "docshard_replica_3",
    ]


def test_all_ports_shift_with_the_first() -> None:
    here, there = ports_of(a_fleet()), ports_of(a_fleet(base=9080))
    assert there == {name: port + 1000 for name, port in here.items()}


def test_a_taken_port_moves_away_and_the_others_stay() -> None:
    usual = ports_of(a_fleet())
    taken = {usual["router"], usual["shard-1-primary"]}
    moved = ports_of(plan(TWO_SHARDS, Ports(8080, is_free=lambda port: port not in taken)))
    assert not taken & set(moved.values())
    assert len(set(moved.values())) == len(moved)
    assert moved["global-primary"] == usual["global-primary"]


def test_storage_moves_when_only_its_companion_port_is_taken() -> None:
    usual = a_fleet().storage.address.port
    moved = plan(TWO_SHARDS, Ports(8080, is_free=lambda port: port != usual + GRPC_DISTANCE))
    assert moved.storage.address.port != usual


def test_running_parts_keep_their_ports_and_resting_ones_want_theirs_back() -> None:
    before = ports_of(a_fleet(base=9000))
    running = {"shard-1-primary": before["shard-1-primary"]}
    after = plan(
        TWO_SHARDS,
        # A port that our own server holds looks taken; it must not be asked.
        Ports(8080, lambda port: port not in running.values(), fixed=running, wanted=before),
    )
    assert ports_of(after) == before


def test_no_port_left_is_an_error_and_not_a_wrong_port() -> None:
    with pytest.raises(PortsExhausted, match="router"):
        plan(TWO_SHARDS, Ports(8080, is_free=lambda _: False))


@given(
    shards=st.integers(1, 12),
    replicas=st.integers(0, 5),
    taken=st.sets(st.integers(8080, 8400), max_size=60),
)
def test_ports_are_free_and_never_shared(shards: int, replicas: int, taken: set[int]) -> None:
    fleet = plan(Shape(shards, replicas, poolers=True), Ports(8080, lambda port: port not in taken))
    ports = ports_of(fleet)
    inner = {*fleet.storage.inner_ports, fleet.storage.name}
    used = [*ports.values(), *(ports[name] + GRPC_DISTANCE for name in inner)]
    assert len(used) == len(set(used))
    assert not taken & set(used)


def test_a_fleet_grows_and_never_shrinks() -> None:
    large = a_fleet(Shape(shards=3, replicas=2, poolers=True))
    assert TWO_SHARDS.grown_to_cover(large) == Shape(shards=3, replicas=2, poolers=True)
    grown = Shape(shards=5, replicas=1, poolers=False).grown_to_cover(a_fleet())
    assert grown == Shape(shards=5, replicas=1, poolers=False)


def test_the_model_survives_being_written_down() -> None:
    fleet = a_fleet()
    assert Fleet.model_validate_json(fleet.model_dump_json()) == fleet


@pytest.mark.parametrize("poolers", [True, False])
def test_services_read_the_addresses_that_the_model_writes(poolers: bool) -> None:
    shard = a_fleet(Shape(shards=1, replicas=1, poolers=poolers)).shards[0]
    addresses = [NodeAddress.model_validate(node) for node in node_addresses(shard)]
    assert [address.name for address in addresses] == ["shard-1-primary", "shard-1-replica"]
    databases = [address.pooler.database for address in addresses if address.pooler]
    assert databases == (["docshard", "docshard_replica"] if poolers else [])


def test_a_shell_and_the_command_read_the_same_environment() -> None:
    passwords = {
        role: f"it's $HOME `{role}`\\"
        for role in ("docshard_app", "docshard_worker", "docshard_admin", "docshard_mover")
    }
    variables = service_environment(
        a_fleet(),
        Credentials(passwords, "ACCESS", "sec'ret", Path("/some where/keys")),
        Path("/data"),
    )
    text = render_environment(variables)
    assert parse_environment(text) == variables
    shell = shutil.which("sh")
    assert shell
    sourced = subprocess.run(
        [shell, "-c", text + 'printf %s "$DOCSHARD_APP_PASSWORD$DOCSHARD_GLOBAL_NODES"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert sourced.stdout == passwords["docshard_app"] + variables["DOCSHARD_GLOBAL_NODES"]
    assert json.loads(variables["DOCSHARD_GLOBAL_NODES"])[0]["name"] == "global-primary"

"""The fleet file: what it describes, and how it is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.fleet.environment import node_addresses
from deploy.fleet.file import FleetFileFault, read_fleet_file
from deploy.fleet.lines import line_of
from deploy.fleet.model import Fleet
from deploy.fleet.planning import Ports, Shape, plan

EXAMPLE = (Path(__file__).parents[2] / "deploy" / "fleet.example.toml").read_text()


def refused(text: str) -> str:
    with pytest.raises(FleetFileFault) as caught:
        read_fleet_file(text)
    return str(caught.value)


def changed(before: str, after: str) -> str:
    assert before in EXAMPLE
    return EXAMPLE.replace(before, after, 1)


def line(text: str, part: str) -> int:
    return next(n for n, one in enumerate(text.splitlines(), start=1) if part in one)


def test_the_example_describes_a_fleet() -> None:
    fleet = read_fleet_file(EXAMPLE).model
    assert [cluster.name for cluster in fleet.clusters] == ["global", "shard-1"]
    assert fleet.shards[0].primary.name == "shard-1-a"
    assert [router.name for router in fleet.routers] == ["router-1", "router-2"]
    assert len(fleet.etcd) == 3


def test_each_node_is_reached_through_the_pooler_on_its_own_host() -> None:
    shard = read_fleet_file(EXAMPLE).model.shards[0]
    poolers = [(node["host"], node["pooler"]["host"]) for node in node_addresses(shard)]
    assert poolers == [("10.20.0.12", "10.20.0.12"), ("10.20.0.13", "10.20.0.13")]


@pytest.mark.parametrize(
    ("before", "after", "where", "what"),
    [
        ("port = 6433", 'port = "many"', '"many"', "cluster.1.pooler.0.port"),
        ('name = "shard-1-b"', 'nam = "shard-1-b"', "nam =", "nam: Extra inputs"),
        ('version = "1.24"', 'version = "1.12"', "1.12", "1.18 to 1.26 are known"),
        ('host = "10.20.0.13"\nport = 5433', 'host = "a b;c"\nport = 5433', "a b;c", "pattern"),
        ('"10.20.0.0/16"', '"10.20.0.0/16 trust"', "networks =", "networks"),
        ("superuser = 3", "superuser = 0", "superuser = 0", "greater than or equal to 1"),
    ],
)
def test_a_fault_is_told_with_its_line(before: str, after: str, where: str, what: str) -> None:
    text = changed(before, after)
    told = [one for one in refused(text).splitlines() if what in one]
    assert told
    assert told[0].startswith(f"line {line(text, where)}: ")


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ('name = "global-2"', 'name = "global-1"', "name given twice: global-1"),
        (
            'host = "10.20.0.13"\nport = 5433',
            'host = "10.20.0.12"\nport = 5433',
            "address given twice: 10.20.0.12:5433",
        ),
        ('name = "global"\n', 'name = "globe"\n', "must be named global"),
        ("instances = 2", 'nodes = ["global-1"]', "shard-1-pgbouncer-1 names nodes"),
        ("shared_buffers", "max_connections", "max_connections is not set here: "),
        ("shared_buffers", "wal_level", "wal_level is not set here: moves need logical"),
        ("[storage]", "[storage", "not TOML: "),
    ],
)
def test_what_contradicts_itself_is_refused(before: str, after: str, what: str) -> None:
    assert what in refused(changed(before, after))


def test_nodes_that_agree_on_a_leader_need_members_of_etcd() -> None:
    members = re.sub(r"\[\[etcd\]\]\nname = .*\nhost = .*\n", "", EXAMPLE)
    assert "[[etcd]]" not in members
    assert "patroni_port needs [[etcd]] members" in refused(members)


def test_lines_are_found_in_tables_of_tables() -> None:
    text = "[[a]]\nx = 1\n[[a.b]]\ny = 2\n[[a]]\n[[a.b]]\ny = 3\n[c]\nd.e = 4\n"
    assert line_of(text, ("a", 0, "b", 0, "y")) == 4
    assert line_of(text, ("a", 1, "b", 0, "y")) == 7
    assert line_of(text, ("a", 1, "x")) == 5
    assert line_of(text, ("c", "d", "e")) == 9
    assert line_of(text, ("z",)) is None


def test_a_home_of_before_keeps_its_pooler_router_and_worker() -> None:
    fleet = plan(Shape(shards=1, replicas=1, poolers=True), Ports(8080, is_free=lambda _: True))
    written = fleet.model_dump(mode="json")
    written["router"], written["worker"] = written.pop("routers")[0], written.pop("workers")[0]
    for cluster in (written["global_cluster"], *written["shards"]):
        pooler = cluster.pop("poolers")[0]
        cluster["pooler"] = {name: pooler[name] for name in ("name", "address")}
    written["global_cluster"]["pooler"] = None
    read = Fleet.model_validate(written)
    assert read.shards == fleet.shards
    assert (read.routers, read.workers) == (fleet.routers, fleet.workers)
    assert read.global_cluster.poolers == ()

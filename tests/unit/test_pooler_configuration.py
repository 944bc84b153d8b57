"""PgBouncer's configuration for every version, and what differs from one that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.fleet.file import FleetFile, read_fleet_file
from deploy.fleet.pgbouncer import PoolerRefused, parse_pooler, render_users
from deploy.fleet.pooler_diff import Change, Offered, Running, Setting, differences
from deploy.fleet.pooler_plan import PoolerProcess, pooler_processes
from deploy.fleet.versions import SINCE, known_holes, parse_short

EXAMPLE = (Path(__file__).parents[2] / "deploy" / "fleet.example.toml").read_text()
GOLDEN = Path(__file__).parent / "golden" / "pgbouncer"
VERSIONS = ["1.18", "1.19", "1.20", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26"]


def fleet(version: str, **replaced: str) -> FleetFile:
    text = EXAMPLE.replace('version = "1.24"', f'version = "{version}"')
    if version == "1.18":
        text = text.replace("instances = 2", "instances = 1")
    for before, after in replaced.items():
        text = text.replace(f"{before} = ", f"{before} = {after} # ", 1)
    return read_fleet_file(text)


def last(version: str) -> PoolerProcess:
    return pooler_processes(fleet(version))[-1]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_text_is_the_golden_one(version: str) -> None:
    """To take a change over: read what differs, then copy the rendered text into the file."""
    assert last(version).text == (GOLDEN / f"{version}.ini").read_text()


@pytest.mark.parametrize("version", VERSIONS)
def test_no_version_reads_a_key_that_it_does_not_know(version: str) -> None:
    keys = parse_pooler(last(version).text)["pgbouncer"]
    assert not {key for key, since in SINCE.items() if parse_short(version) < since} & keys.keys()


def test_servers_connections_are_divided_among_all_processes_before_them() -> None:
    by_pooler = {
        p.pooler.name: p.files.connections.per_pooler for p in pooler_processes(fleet("1.24"))
    }
    assert by_pooler["global-pgbouncer-1"] == (400 - 3 - 40 - 20 - 7) // 2
    assert by_pooler["shard-1-pgbouncer-1"] == (400 - 3 - 40 - 20 - 7) // 4


def test_more_than_the_server_has_is_refused_with_what_to_change() -> None:
    with pytest.raises(PoolerRefused, match=r"leave 1; .*raise postgres\.max_connections"):
        pooler_processes(fleet("1.24", max_connections="72"))


def test_several_processes_need_a_version_that_passes_cancels_on() -> None:
    text = EXAMPLE.replace('version = "1.24"', 'version = "1.18"')
    with pytest.raises(PoolerRefused, match=r"need PgBouncer 1\.19"):
        pooler_processes(read_fleet_file(text))


def test_each_process_has_a_number_and_a_socket_of_its_own() -> None:
    parsed = [
        parse_pooler(process.text)
        for process in pooler_processes(fleet("1.24"))
        if process.pooler.name == "shard-1-pgbouncer-1"
    ]
    assert [one["pgbouncer"]["peer_id"] for one in parsed] == ["1", "2"]
    sockets = [one["pgbouncer"]["unix_socket_dir"] for one in parsed]
    assert [f"host={folder}" for folder in sockets] == list(parsed[0]["peers"].values())


def test_the_file_of_a_pooler_that_asks_holds_no_password_of_a_service() -> None:
    roles = ("docshard_app", "docshard_worker", "docshard_probe", "docshard_pooler")
    text = render_users({role: f"secret of {role}" for role in roles}, asks_servers=True)
    assert "docshard_app" not in text
    assert "docshard_worker" not in text


def test_holes_end_with_the_version_that_closed_them() -> None:
    assert {hole.cve for hole in known_holes((1, 18))} > {"CVE-2025-2291", "CVE-2026-6664"}
    assert {hole.cve for hole in known_holes((1, 25, 2))} == {"CVE-2026-107350", "CVE-2026-107349"}
    assert known_holes((1, 26, 1)) == []


def test_differences_say_what_they_take() -> None:
    wanted = {
        "pgbouncer": {
            "max_client_conn": "4000",
            "listen_port": "6432",
            "so_reuseport": "yes",
            "ignore_startup_parameters": "a,b",
            "peer_id": "1",
        },
        "databases": {"docshard": "host=b port=1 dbname=docshard", "new": "host=c"},
    }
    settings = {
        "max_client_conn": Setting("500", changeable=True),
        "listen_port": Setting("7000", changeable=False),
        "so_reuseport": Setting("1", changeable=False),
        "ignore_startup_parameters": Setting("a, b", changeable=True),
    }
    databases = {
        "pgbouncer": Offered("", "6432", "pgbouncer"),
        "docshard": Offered("a", "1", "docshard"),
        "old": Offered("a", "1", "old"),
    }
    assert differences(wanted, Running(settings, databases)) == [
        Change("max_client_conn", "500", "4000", "reload"),
        Change("listen_port", "7000", "6432", "restart"),
        Change("peer_id", None, "1", "restart"),
        Change(
            "database docshard",
            "host=a port=1 dbname=docshard",
            "host=b port=1 dbname=docshard",
            "reload",
        ),
        Change("database new", None, "host=c", "reload"),
        Change("database old", "host=a port=1 dbname=old", None, "reload"),
    ]

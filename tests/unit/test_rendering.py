"""What is rendered for real servers: equal to the golden files, and free of secrets."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from deploy.fleet.file import read_fleet_file
from deploy.rendering.targets import TARGETS

EXAMPLE = (Path(__file__).parents[2] / "deploy" / "fleet.example.toml").read_text()
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_files_are_the_golden_ones(target: str) -> None:
    """To take a change over: `docshard render TARGET --fleet … --into tests/unit/golden`, and read
    what differs."""
    rendered = TARGETS[target](read_fleet_file(EXAMPLE))
    golden = {
        PurePosixPath(path.relative_to(GOLDEN)): path.read_text()
        for path in (GOLDEN / target).rglob("*")
        if path.is_file()
    }
    assert dict(rendered) == golden


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_equal_fleets_give_equal_bytes(target: str) -> None:
    once, again = (TARGETS[target](read_fleet_file(EXAMPLE)) for _ in range(2))
    assert once == again


def test_a_server_is_told_no_password() -> None:
    texts = TARGETS["patroni"](read_fleet_file(EXAMPLE)).values()
    assert not any("password:" in text for text in texts)


def test_every_process_has_a_unit_on_its_host() -> None:
    file = read_fleet_file(EXAMPLE)
    units = {(path.parts[1], path.stem) for path in TARGETS["systemd"](file)}
    fleet = file.model
    for cluster in fleet.clusters:
        for node in cluster.nodes:
            assert (node.address.host, f"docshard-{node.name}") in units
    for router in fleet.routers:
        assert (router.address.host, f"docshard-{router.name}") in units
    for worker in fleet.workers:
        assert (worker.host, f"docshard-{worker.name}") in units
    for member in fleet.etcd:
        assert (member.address.host, f"docshard-{member.name}") in units


def test_the_public_address_asks_ready_routers_and_believes_no_forwarded_header() -> None:
    (text,) = TARGETS["haproxy"](read_fleet_file(EXAMPLE)).values()
    for router in read_fleet_file(EXAMPLE).model.routers:
        assert f"server {router.name} {router.address.text} check" in text
    assert "http-request del-header X-Forwarded-For" in text
    assert "option httpchk GET /readyz" in text

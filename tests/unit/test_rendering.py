"""What is rendered for real servers: equal to the golden files, and free of secrets."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

from deploy.cli.main import run
from deploy.errors import Exit
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


def test_processes_on_one_port_have_folders_made_for_their_sockets() -> None:
    """They start as nobody who may make one, and would not start without."""
    file = read_fleet_file(EXAMPLE)
    units = {path.stem: text for path, text in TARGETS["systemd"](file).items()}
    shared = [
        f"{pooler.name}-{number}"
        for cluster in file.model.clusters
        for pooler in cluster.poolers
        if pooler.instances > 1
        for number in range(1, pooler.instances + 1)
    ]
    assert shared
    for name in shared:
        assert f"RuntimeDirectory=docshard/{name}\n" in units[f"docshard-{name}"]


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(EXAMPLE)
    return path


def test_what_is_written_others_may_read(fleet_file: Path, tmp_path: Path) -> None:
    arguments = ["render", "haproxy", "--fleet", str(fleet_file), "--into", str(tmp_path)]
    assert run([*arguments, "--dry-run"]) == Exit.OK
    assert not list(tmp_path.rglob("*.cfg"))
    assert run(arguments) == Exit.OK
    (path,) = tmp_path.rglob("*.cfg")
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_cannot_be_rendered_or_written_is_told(
    fleet_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = ["--fleet", str(fleet_file), "--into", str(tmp_path / "out")]
    fleet_file.write_text(EXAMPLE.replace('"1.24"', '"1.18"'))
    assert run(["render", "systemd", *into]) == Exit.REFUSED
    assert "instances" in capsys.readouterr().err
    fleet_file.write_text(re.sub(r"(?m)^patroni_port = .*$", "", EXAMPLE))
    assert run(["render", "patroni", *into]) == Exit.NOT_FOUND
    fleet_file.write_text(EXAMPLE)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "haproxy").write_text("a file where a folder is needed")
    assert run(["render", "haproxy", *into]) == Exit.USAGE
    assert "cannot be written" in capsys.readouterr().err

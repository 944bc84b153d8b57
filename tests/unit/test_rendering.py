"""What is rendered for real servers: equal to the golden files, and free of secrets."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath

import pytest

from deploy.cli.main import run
from deploy.errors import Exit
from deploy.fleet.file import FleetFile, read_fleet_file
from deploy.rendering.targets import TARGETS
from router.problems import STATUS

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
    text = TARGETS["haproxy"](read_fleet_file(EXAMPLE))[PurePosixPath("haproxy/haproxy.cfg")]
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


OWN_STORAGE = """
authority = "/etc/docshard/tls/ca.crt"

[storage.server]
certificate = "/etc/docshard/tls/s3.crt"
key = "/etc/docshard/tls/s3.key"
"""


def with_own_storage() -> FleetFile:
    bucket = 'bucket = "example-docshard-documents"\nregion = "eu-central-1"\n'
    here = EXAMPLE.replace('"s3.eu-central-1.amazonaws.com"', '"10.20.0.13"', 1)
    assert bucket in here
    return read_fleet_file(here.replace(bucket, bucket + OWN_STORAGE))


def test_a_store_of_ones_own_has_a_unit_and_is_trusted() -> None:
    files = {str(path): text for path, text in TARGETS["systemd"](with_own_storage()).items()}
    unit = files["systemd/10.20.0.13/docshard-s3.service"]
    assert "-s3.cert.file=/etc/docshard/tls/s3.crt -s3.key.file=/etc/docshard/tls/s3.key" in unit
    assert "EnvironmentFile=/etc/docshard/s3/s3.env" in unit
    variables = files["systemd/10.20.0.11/docshard.env"]
    assert 'DOCSHARD_S3_CA_FILE="/etc/docshard/tls/ca.crt"' in variables
    modes = files["systemd/10.20.0.13/docshard.tmpfiles"].splitlines()
    assert "z /etc/docshard/s3/identities.json 0640 root seaweedfs" in modes
    assert 'u seaweedfs - "seaweedfs of docshard"' in files["systemd/10.20.0.13/docshard.sysusers"]


def test_every_folder_that_a_unit_may_write_to_is_made_for_its_user() -> None:
    files = TARGETS["systemd"](with_own_storage())
    for path, text in files.items():
        if path.suffix != ".service" or "Type=exec" not in text:
            continue
        made = files[path.with_name("docshard.tmpfiles")].splitlines()
        (user,) = re.findall(r"(?m)^User=(.*)$", text)
        for folders in re.findall(r"(?m)^ReadWritePaths=(.*)$", text):
            for folder in folders.split():
                assert f"d {folder} 0700 {user} {user}" in made


@pytest.mark.parametrize("status", [502, 503, 504])
def test_what_no_router_answered_is_a_problem_as_routers_tell_it(status: int) -> None:
    files = TARGETS["haproxy"](read_fleet_file(EXAMPLE))
    answer = files[PurePosixPath(f"haproxy/{status}.http")]
    head, _, body = answer.partition("\n\n")
    assert head.startswith("HTTP/1.1 503 ")
    assert f"Content-Length: {len(body)}" in head
    problem = json.loads(body)
    assert STATUS[problem["code"]] == problem["status"] == 503


def test_servers_with_certificates_take_no_plain_connection() -> None:
    for text in TARGETS["patroni"](read_fleet_file(EXAMPLE)).values():
        assert '"host ' not in text
        assert text.count("sslmode: verify-full") == 3

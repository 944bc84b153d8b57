"""`docshard pool` by hand: what it writes, tries out and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "fleet.example.toml"


def pool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.cli.main", "pool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    """The example, for the pooler that Debian has."""
    text = EXAMPLE.read_text().replace('"1.24"', '"1.18"').replace("instances = 2", "instances = 1")
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    return path


def test_what_is_rendered_is_written_below_a_folder(fleet_file: Path, tmp_path: Path) -> None:
    dry = pool("render", "--fleet", fleet_file, "--into", tmp_path / "out", "--dry-run")
    assert dry.returncode == 0
    assert not (tmp_path / "out").exists()
    done = pool("render", "--fleet", fleet_file, "--into", tmp_path / "out")
    assert done.stdout == dry.stdout
    written = [Path(line) for line in done.stdout.splitlines()]
    assert len(written) == 4
    assert all("listen_port" in path.read_text() for path in written)


def test_each_configuration_is_started_and_asked(fleet_file: Path) -> None:
    done = pool("validate", "--fleet", fleet_file, "-o", "json")
    assert done.returncode == 0, done.stderr
    trials = json.loads(done.stdout)["trials"]
    assert len(trials) == 4
    assert not any(trial["otherwise"] for trial in trials)
    assert "CVE-2026-6664" in done.stderr


def test_a_file_that_cannot_be_used_is_a_usage_fault_with_its_line(fleet_file: Path) -> None:
    text = fleet_file.read_text().replace("max_client_conn = 4000", 'max_client_conn = "many"')
    fleet_file.write_text(text)
    done = pool("validate", "--fleet", fleet_file)
    assert done.returncode == 2
    number = next(n for n, line in enumerate(text.splitlines(), 1) if '"many"' in line)
    assert f"line {number}: pgbouncer.max_client_conn" in done.stderr


def test_more_connections_than_a_server_has_are_refused(fleet_file: Path) -> None:
    fleet_file.write_text(
        fleet_file.read_text().replace("max_connections = 400", "max_connections = 72")
    )
    done = pool("show", "--fleet", fleet_file)
    assert done.returncode == 5
    assert "raise postgres.max_connections" in done.stderr

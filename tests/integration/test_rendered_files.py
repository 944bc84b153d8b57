"""The programs that read rendered files say themselves whether they can."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import patroni.api

from deploy.fleet.file import read_fleet_file
from deploy.fleet.pgbackrest import RepositorySecrets, render_secrets
from deploy.local.certificates import write_certificates
from deploy.rendering.haproxy import FOLDER
from deploy.rendering.targets import TARGETS
from tests.integration import alert_scenes
from tests.lacking import lacking

SCENES = Path(__file__).parent / "alert_scenes.yml"
EXAMPLE = (Path(__file__).parents[2] / "deploy" / "fleet.example.toml").read_text()


def program(name: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        lacking(f"{name} is not installed")
    return found


def written(target: str, folder: Path, replaced: Mapping[str, str]) -> list[Path]:
    """The target's files below the folder, less what this machine has not."""
    paths = []
    for name, text in TARGETS[target](read_fleet_file(EXAMPLE)).items():
        local = text
        for before, after in replaced.items():
            local = local.replace(before, after)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(local)
        paths.append(path)
    return paths


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_haproxy_reads_its_file(tmp_path: Path) -> None:
    write_certificates(tmp_path)
    both = tmp_path / "both.pem"
    both.write_text((tmp_path / "certificate.pem").read_text() + (tmp_path / "key.pem").read_text())
    here = {"/etc/docshard/tls/api.pem": str(both), str(FOLDER): str(tmp_path / "haproxy")}
    (path,) = (one for one in written("haproxy", tmp_path, here) if one.suffix == ".cfg")
    done = run([program("haproxy"), "-c", "-f", str(path)])
    assert done.returncode == 0, done.stderr
    path.write_text(path.read_text().replace("balance leastconn", "balance lestconn"))
    assert run([program("haproxy"), "-c", "-f", str(path)]).returncode != 0


def test_systemd_reads_every_unit(tmp_path: Path) -> None:
    programs = ["/usr/bin/etcd", "/usr/bin/patroni", "/usr/sbin/pgbouncer"]
    here = dict.fromkeys([*programs, "/opt/docshard/bin/docshard"], "/bin/true")
    paths = [path for path in written("systemd", tmp_path, here) if path.suffix == ".service"]
    by_host: dict[Path, list[str]] = {}
    for path in paths:
        by_host.setdefault(path.parent, []).append(str(path))
    for units in by_host.values():
        done = run([program("systemd-analyze"), "verify", "--man=no", *units])
        assert (done.returncode, done.stderr) == (0, "")


def test_patroni_reads_every_node(tmp_path: Path) -> None:
    here = {
        "/var/lib/docshard/postgres": str(tmp_path),
        "/run/docshard": str(tmp_path),
    }
    secrets = {
        f"PATRONI_{who}_PASSWORD": "from the environment"
        for who in ("RESTAPI", "SUPERUSER", "REPLICATION", "REWIND")
    }
    command = [program("patroni"), "--ignore-listen-port", "--validate-config"]
    for path in written("patroni", tmp_path, here):
        done = run([*command, str(path)], **secrets, PATRONI_RESTAPI_USERNAME="docshard")
        assert done.returncode == 0, done.stdout + done.stderr
    path.write_text(path.read_text().replace('"loop_wait": 2', '"loop_wait": "soon"'))
    assert run([*command, str(path)], **secrets).returncode != 0


def test_prometheus_reads_its_files_and_the_alerts_fire(tmp_path: Path) -> None:
    promtool = program("promtool")
    configuration, rules = written("prometheus", tmp_path, {})
    done = run([promtool, "check", "config", str(configuration)])
    assert done.returncode == 0, done.stdout + done.stderr
    (told,) = re.findall(r'"(shard-1 has had no primary[^"]*)"', rules.read_text())
    scenes = rules.parent / "scenes.yml"
    scenes.write_text(SCENES.read_text().replace("TOLD", told))
    done = run([promtool, "test", "rules", str(scenes)])
    assert done.returncode == 0, done.stdout + done.stderr
    rules.write_text(rules.read_text().replace("pg_up == 0", "pg_up ="))
    assert run([promtool, "check", "rules", str(rules)]).returncode != 0


def test_prometheus_reads_its_files_among_containers(tmp_path: Path) -> None:
    written("compose", tmp_path, {})
    configuration = tmp_path / "compose" / "prometheus" / "prometheus.yml"
    done = run([program("promtool"), "check", "config", str(configuration)])
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_when_it_should_and_none_when_all_is_well(tmp_path: Path) -> None:
    _, rules = written("prometheus", tmp_path, {})
    named = set(re.findall(r"alert: (\w+)", rules.read_text()))
    assert set(alert_scenes.FIRING) == named
    scenes = rules.parent / "scenes.yml"
    scenes.write_text(alert_scenes.file())
    done = run([program("promtool"), "test", "rules", str(scenes)])
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_runbook_and_asks_for_figures_that_we_tell() -> None:
    text = "".join(TARGETS["prometheus"](read_fleet_file(EXAMPLE)).values())
    root = Path(__file__).parents[2]
    headings = set(re.findall(r"^### (\w+)$", (root / "docs/runbooks.md").read_text(), re.M))
    assert set(re.findall(r"alert: (\w+)", text)) == headings
    asked = set(re.findall(r"docshard_\w+", text)) - {"docshard_restore"}
    ours = [f"services/fleet/{name}.py" for name in ("figures", "backup_figures")]
    sources = (*ours, "router/figures.py", "services/metrics.py", "deploy/worker_figures.py")
    told = "".join((root / name).read_text() for name in sources)
    suffixes = re.compile("_(bucket|count|sum)$")
    assert {name for name in asked if f'"{suffixes.sub("", name)}"' not in told} == set()


def test_patroni_tells_every_figure_that_alerts_ask_for() -> None:
    """Of the exporters, which are not installed here, docs/rendering.md names the versions."""
    source = inspect.getsource(patroni.api)
    text = "".join(TARGETS["prometheus"](read_fleet_file(EXAMPLE)).values())
    asked = set(re.findall(r"patroni_\w+", text))
    assert asked
    assert {name for name in asked if name not in source} == set()


def test_pgbackrest_reads_every_configuration(tmp_path: Path) -> None:
    """It warns of options that it does not know; the local fleet runs on the same template."""
    (secrets := tmp_path / "secrets").mkdir()
    repositories = [RepositorySecrets("key", "secret", "phrase")] * 2
    (secrets / "repositories.conf").write_text(render_secrets(repositories))
    paths = written("pgbackrest", tmp_path, {"/var/lib/docshard/pgbackrest": str(tmp_path)})
    assert len(paths) == 4
    for path in paths:
        assert stopped(path, secrets) == (0, "")
    wrong = path.with_name("wrong.conf")
    wrong.write_text(path.read_text().replace("start-fast=", "start-slow="))
    assert "start-slow" in stopped(wrong, secrets)[1]


def stopped(path: Path, secrets: Path) -> tuple[int, str]:
    """`stop` reads its configuration and asks no repository."""
    stanza = path.read_text().rpartition("[")[2].partition("]")[0]
    done = run(
        [
            program("pgbackrest"),
            f"--config={path}",
            f"--config-include-path={secrets}",
            f"--stanza={stanza}",
            f"--lock-path={path.with_suffix('.locks')}",
            "--log-level-file=off",
            "stop",
        ]
    )
    return done.returncode, done.stdout + done.stderr

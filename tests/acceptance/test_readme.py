"""README's commands do what README says."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.cli.main import docshard
from tests.acceptance.api import Tenant, connect, log_in, make_key, make_tenant
from tests.acceptance.fleet import LocalFleet

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture(scope="module")
def environment(fleet: LocalFleet) -> Iterator[dict[str, str]]:
    """What `. .docshard/env` gives, with a tenant and a key of its own."""
    with connect(fleet, log_in(fleet)) as admin:
        for tenant in make_tenant(fleet, admin):
            _fill(tenant)
            yield os.environ | {
                "DOCSHARD_API": fleet.api,
                "DOCSHARD_DEMO_CLIENT_ID": tenant.id,
                "DOCSHARD_DEMO_KEY": make_key(admin, tenant.id)["key"],
            }


def _fill(tenant: Tenant) -> None:
    tenant.put(tenant.make_document(original_name="worker_threads.html"), b"<p>")


def _script(marker: str) -> str:
    """The commands of the console block that holds `marker`, without prompts and answers."""
    block = next(
        block for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) if marker in block
    )
    lines: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            lines.append(line[2:])
        elif lines and lines[-1].endswith("\\"):
            lines.append(line)
    return "\n".join(line for line in lines if not line.startswith(". .docshard/env"))


def _run(marker: str, environment: dict[str, str]) -> str:
    if shutil.which("curl") is None:
        if "DOCSHARD_REQUIRE_ALL" in os.environ:
            pytest.fail("curl is not installed")
        pytest.skip("the quick start is written with curl, which is not installed here")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _script(marker)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_request(environment: dict[str, str]) -> None:
    assert '"original_name":"worker_threads.html"' in _run("documents?limit=1", environment)


def test_a_document_is_made_filled_and_read_back(environment: dict[str, str]) -> None:
    answers = _run("Idempotency-Key: first", environment)
    assert '"version_number":1' in answers
    assert answers.endswith("hello")


def test_every_command_that_is_named_exists() -> None:
    table = README[README.index("## The command") : README.index("## Figures")]
    named = {word for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
             for word in re.findall(r"`([a-z-]+)", row)}  # fmt: skip
    assert "doctor" in named
    for command in sorted(named):
        assert CliRunner().invoke(docshard, [command, "--help"]).exit_code == 0, command


def test_every_document_that_is_linked_exists() -> None:
    root = Path(__file__).parents[2]
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (root / link).exists()] == []

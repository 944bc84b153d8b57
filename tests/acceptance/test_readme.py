"""README's commands do what README says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.cli.main import docshard
from tests.acceptance.api import Tenant, connect, log_in, make_key, make_tenant
from tests.acceptance.fleet import LocalFleet
from tests.lacking import lacking

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SDK = (ROOT / "docs" / "sdk.md").read_text()


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
    script = "\n".join(line for line in lines if not line.startswith(". .docshard/env"))
    return script.replace(".venv/bin/docshard", f"{sys.executable} -P -m deploy.cli.main")


def _run(marker: str, environment: dict[str, str]) -> str:
    if shutil.which("curl") is None:
        lacking("curl, which the quick start is written with, is not installed")
    words = ["bash", "-euo", "pipefail", "-c", _script(marker)]
    return _printed(words, environment, ROOT)


def _run_python(text: str, environment: dict[str, str], folder: Path) -> str:
    """Run all Python of a text as one program."""
    program = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    return _printed([sys.executable, "-P", "-c", program], environment, folder)


def _printed(words: list[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        words,
        env=environment,
        cwd=folder,
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


def test_a_file_goes_there_from_the_shell(environment: dict[str, str]) -> None:
    answers = _run("docs put README.md", environment)
    assert len(re.findall(r"README\.md +text/markdown", answers)) == 3  # put, found, listed


def test_a_file_goes_there_and_back_from_python(
    environment: dict[str, str], tmp_path: Path
) -> None:
    shutil.copy(ROOT / "README.md", tmp_path)
    shown = _run_python(README, environment, tmp_path)
    assert f"README.md {len(README.encode())}\n" in shown
    assert (tmp_path / "copy.md").read_text() == README


def test_the_examples_of_the_sdk_run(environment: dict[str, str], tmp_path: Path) -> None:
    assert "15 of 15 bytes" in _run_python(SDK, environment, tmp_path)


def test_every_command_that_is_named_exists() -> None:
    table = README[README.index("## The command") : README.index("## Figures")]
    named = {word for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
             for word in re.findall(r"`([a-z-]+)", row)}  # fmt: skip
    assert "doctor" in named
    for command in sorted(named):
        assert CliRunner().invoke(docshard, [command, "--help"]).exit_code == 0, command


def test_every_document_that_is_linked_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []

"""`docshard docs …`: a tenant's shell, with nothing but an address and a key."""

import io
import json
import os
import pty
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deploy.cli.main import run
from deploy.errors import Exit
from tests.acceptance.api import Tenant
from tests.acceptance.fleet import LocalFleet


@dataclass(frozen=True)
class Done:
    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Shell:
    """A machine of the tenant's: it knows no fleet, but an address and where its key is."""

    environment: dict[str, str]

    def docs(self, *arguments: str, **environment: str) -> Done:
        """`docshard docs …`, in this process: starting another takes longer than what it does."""
        out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in "oe")
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in (self.environment | environment).items():
                patch.setenv(name, value)
            status = run(["docs", *arguments])
        return Done(status, *(stream.buffer.getvalue().decode() for stream in (out, err)))

    def shown(self, *arguments: str) -> Any:
        """What the command shows as JSON."""
        done = self.docs(*arguments, "-o", "json")
        assert done.status == 0, done.stderr
        shown = json.loads(done.stdout)
        assert shown.pop("schema_version") == 1
        [only] = shown.values()
        return only


@pytest.fixture(scope="module")
def shell(fleet: LocalFleet, tenant: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    folder = tmp_path_factory.mktemp("shell")
    key = folder / "key"
    key.write_text(tenant.http.headers["Authorization"].removeprefix("Bearer ") + "\n")
    return Shell(
        {
            "DOCSHARD_HOME": str(folder / "none"),
            "DOCSHARD_API": fleet.api,
            "DOCSHARD_API_KEY_FILE": str(key),
        }
    )


@pytest.fixture(scope="module")
def stored(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A document in two versions."""
    path = tmp_path_factory.mktemp("stored") / f"{uuid4().hex} annual report.txt"
    path.write_text("one")
    [first] = shell.shown("put", str(path), "--metadata", '{"year": 2026}')
    assert first["version_number"] == 1
    path.write_text("two")
    [second] = shell.shown("put", str(path), "--document", first["document_id"])
    assert (second["document_id"], second["version_number"]) == (first["document_id"], 2)
    return {**second, "name": path.name}


def test_what_was_put_is_listed_found_and_told(shell: Shell, stored: dict[str, Any]) -> None:
    [listed] = shell.shown("ls", "--metadata", '{"year": 2026}', "--mime-type", "text/plain")
    assert (listed["id"], listed["version"]) == (stored["document_id"], 2)
    [found, *_] = shell.shown("search", stored["name"].replace("report", "reprot"))
    assert found["id"] == stored["document_id"]
    newest, oldest = shell.shown("history", stored["document_id"])
    assert (newest["version_number"], oldest["version_number"]) == (2, 1)
    assert oldest["created_by"] and oldest["created_at"]
    assert shell.shown("ls", "--created-after", "2999-01-01") == []
    assert stored["name"] in shell.docs("ls").stdout


def test_content_goes_to_a_pipe_a_file_or_a_folder(
    shell: Shell, stored: dict[str, Any], tmp_path: Path
) -> None:
    wanted = stored["document_id"]
    assert shell.docs("get", wanted).stdout == "two"
    piped = shell.docs("get", wanted, "--version", "1")
    assert (piped.stdout, piped.stderr) == ("one", "")
    told = shell.shown("get", wanted, "-O", str(tmp_path / "here"))
    assert (tmp_path / "here").read_text() == "two"
    assert told["checksum_sha256"] == stored["checksum_sha256"]
    shell.shown("get", wanted, "-O", str(tmp_path))
    assert (tmp_path / stored["name"]).read_text() == "two"
    twice = shell.docs("get", wanted, "-O", str(tmp_path))
    assert twice.status == Exit.REFUSED


def test_on_a_terminal_the_bytes_that_pass_are_shown(
    shell: Shell, stored: dict[str, Any], tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "deploy.cli.main", "docs", "get", stored["document_id"],
         "-O", str(tmp_path / "here"), "-o", "json"],
        env={**os.environ, **shell.environment, "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"},
        stdout=subprocess.PIPE, stderr=theirs, check=True, timeout=60,
    )  # fmt: skip
    os.close(theirs)
    drawn = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "3/3 bytes" in drawn and "here" in drawn
    assert "\x1b[3" not in drawn  # no colour
    assert json.loads(done.stdout)["version"]["size"] == 3


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("history", str(uuid4())), Exit.NOT_FOUND, "It does not exist"),
        (("get", str(uuid4())), Exit.NOT_FOUND, "It does not exist"),
        (("history", "no-id"), Exit.USAGE, "not a UUID"),
        (("ls", "--metadata", "[]"), Exit.USAGE, "not a JSON object"),
        (("put", "/nowhere/at/all"), Exit.USAGE, "does not exist"),
        (("ls", "--mime-type", "\n"), Exit.USAGE, "mime_type"),
    ],
)
def test_errors_say_what_happened_and_end_with_its_status(
    shell: Shell, arguments: tuple[str, ...], status: Exit, said: str
) -> None:
    done = shell.docs(*arguments)
    assert (done.status, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_key_a_missing_one_and_a_service_that_is_away(shell: Shell) -> None:
    wrong = shell.docs("ls", DOCSHARD_API_KEY="dsk_wrong")
    assert (wrong.status, "unknown, revoked or expired" in wrong.stderr) == (4, True)
    assert "dsk_wrong" not in wrong.stderr
    missing = shell.docs("ls", DOCSHARD_API_KEY_FILE="")
    assert (missing.status, "DOCSHARD_API_KEY" in missing.stderr) == (2, True)
    away = shell.docs("ls", DOCSHARD_API="http://127.0.0.1:9")
    assert (away.status, "No answer came" in away.stderr) == (1, True)

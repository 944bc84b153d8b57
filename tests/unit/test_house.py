"""The house keeps its shape: packages, contracts, file sizes, nothing that does not belong."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOT_PACKAGES = {"tests", "docs"}
LONGEST_FILE = 300
GENERATED = {"docshard_client/models.py"}
"""Nobody writes or changes it by hand, and it is held to its source by a test."""


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:  # an unpacked archive: then everything but what we made ourselves
        folders = (".venv", ".docshard", ".git", "__pycache__")
        return [
            path
            for path in ROOT.rglob("*")
            if path.is_file() and not any(part in folders for part in path.parts)
        ]
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_every_package_is_held_by_the_import_contracts() -> None:
    there = {
        path.parent.name
        for path in ROOT.glob("*/__init__.py")
        if path.parent.name not in NOT_PACKAGES
    }
    held = _project()["tool"]["importlinter"]
    assert there == set(held["root_packages"])
    assert there == set(_project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_every_dependency_says_why_it_is_there() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    blocks = re.findall(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        lines = [line.strip() for line in block.splitlines() if line.strip().startswith('"')]
        assert lines
        assert all(" # " in line for line in lines)


@pytest.mark.parametrize("ending", [".py", ".sql"])
def test_no_file_outgrows_its_name(ending: str) -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in _files()
        if path.suffix == ending
        and str(path.relative_to(ROOT)) not in GENERATED
        and (count := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert not long


def test_the_lock_names_hashes_and_no_addresses() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "--hash=sha256:" in lock
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", lock)


def test_the_tree_holds_no_key_and_no_password() -> None:
    secret = re.compile(r"dsk_[0-9A-Za-z]{49}|-----BEGIN [A-Z ]*PRIVATE KEY-----|AKIA[0-9A-Z]{16}")
    found = [
        str(path.relative_to(ROOT))
        for path in _files()
        if path.suffix in {".py", ".md", ".toml", ".json", ".sql", ".j2", ".lock", ""}
        and path != Path(__file__)
        and secret.search(path.read_text(errors="replace"))
    ]
    assert not found


def test_the_tenant_is_set_for_the_transaction_alone() -> None:
    """I4: set for the session it would stay on a pooled connection, for whoever comes next."""
    packages = ("global_db", "shards", "services", "router", "deploy")
    sources = [path for path in _files() if path.relative_to(ROOT).parts[0] in packages]
    text = "\n".join(path.read_text(errors="replace") for path in sources)
    made = re.findall(r"set_config\('app\.[^)]*\)", text)
    assert made
    assert all(one.endswith(", true)") for one in made)
    assert not re.search(r"\bSET\s+(SESSION\s+)?app\.", text)


def test_what_runs_on_every_version_stands_where_the_makefile_looks() -> None:
    named = re.search(r"^VERSIONED := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named is not None
    marked = {
        path.relative_to(ROOT).parts[:2]
        for path in (ROOT / "tests").rglob("*.py")
        if re.search(r"\bmark[.]versions\b", path.read_text())
    }
    looked = {tuple(folder.split("/")) for folder in named[1].split()}
    assert marked == looked


def test_nothing_is_skipped_but_where_all_is_required_it_fails() -> None:
    """What a machine lacks is told by `lacking`, which fails where CI has installed it."""
    ways = re.compile(r"pytest\.(skip|importorskip|xfail)\b|mark\.(skip|skipif|xfail)\b")
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if path != Path(__file__) and ways.search(path.read_text())
    }
    assert found == {"tests/lacking.py"}

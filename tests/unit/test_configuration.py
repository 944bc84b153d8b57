"""docs/configuration.md says what the settings are, and rendered files say nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from deploy.fleet.sections import SAID_ELSEWHERE, ServiceSection
from deploy.rendering.service import SECRETS, STORAGE_SECRETS
from deploy.rendering.targets import TARGETS
from router.configuration import page, variables
from services.settings import Settings
from tests.unit.rendered import example

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_fresh() -> None:
    """To write it anew: `make configuration`."""
    assert DOCS.read_text() == page()


def test_every_variable_stands_on_the_page_once() -> None:
    named = list(variables())
    assert len(named) == len(set(named))
    text = DOCS.read_text()
    assert [name for name in named if f"`{name}`" not in text] == []


@pytest.mark.parametrize("target", ["systemd", "compose", "kubernetes"])
def test_what_is_rendered_is_known(target: str) -> None:
    texts = "".join(TARGETS[target](example()).values())
    # DOCSHARD_IMAGE, _PUBLISH and _SECRETS are compose's own.
    composed = {"DOCSHARD_IMAGE", "DOCSHARD_PUBLISH", "DOCSHARD_SECRETS"}
    named = set(re.findall(r"DOCSHARD_[A-Z0-9_]+", texts)) - composed
    assert named
    assert named - set(variables()) == set()


def test_secrets_and_what_the_fleet_says_are_known() -> None:
    secret = {name for names in SECRETS.values() for name in names} | {*STORAGE_SECRETS}
    assert (secret | SAID_ELSEWHERE) - set(variables()) == set()


def test_no_secret_stands_in_a_fleet_file_and_everything_else_may() -> None:
    """What it says is copied to hosts, and into ConfigMaps, for everybody to read."""
    secret = set(re.findall(r"^\| `(\w+)` \| text, \*\*secret", DOCS.read_text(), re.MULTILINE))
    assert "DOCSHARD_METRICS_TOKEN" in secret
    for name in set(variables()) - SAID_ELSEWHERE:
        if name in secret:
            with pytest.raises(ValidationError, match="no secret stands in a fleet file"):
                ServiceSection(settings={name: "x"})
        else:
            ServiceSection(settings={name: "x"})


def test_a_service_can_start_from_its_host_s_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """systemd undoes the same escapes between double quotes as a shell."""
    files = TARGETS["systemd"](example("key/example", 'key/a \\"b$c`d\\\\e'))
    (text,) = {text for path, text in files.items() if path.name == "docshard.env"}
    (tmp_path / "docshard.env").write_text(text)
    sourced = ["env", "-i", "sh", "-ac", '. "$0" && env -0', str(tmp_path / "docshard.env")]
    found = subprocess.run(sourced, capture_output=True, text=True, check=True).stdout
    told = dict(line.split("=", 1) for line in found.split("\0") if line[:9] == "DOCSHARD_")
    assert told["DOCSHARD_KMS_KEY_ID"].endswith('key/a "b$c`d\\e')
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DOCSHARD_SECRETS_DIR", str(tmp_path))
    for number, name in enumerate([*SECRETS["worker"], *STORAGE_SECRETS]):
        (tmp_path / name).write_text(f"f3a9c1e7b5d2{number}e8")
    settings = Settings()
    assert [node.name for node in settings.global_nodes] == ["global-1", "global-2"]
    assert settings.key_provider == "aws-kms"


def test_kustomize_reads_the_same_values() -> None:
    """It takes what stands behind the first sign of equality, as it is."""
    files = {path.name: text for path, text in TARGETS["kubernetes"](example()).items()}
    lines = [line for line in files["settings.env"].splitlines() if line[:1] != "#"]
    told = dict(line.split("=", 1) for line in lines)
    (node, *_) = yaml.safe_load(told["DOCSHARD_GLOBAL_NODES"])
    assert node["pooler"] == {"host": "global-pooler-rw", "port": 5432, "database": "docshard"}

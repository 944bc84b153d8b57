"""What `up` says at its end is to be pasted: it names the command as it can be called from here."""

import sys
from pathlib import Path

import pytest

from deploy.fleet.planning import Ports, Shape, plan
from deploy.local.home import Home
from deploy.local.secrets import Secrets
from deploy.local.summary import summary

FLEET = plan(Shape(shards=1, replicas=0, poolers=False), Ports(8080, lambda _: True))


def step(home: Path) -> str:
    """The line that adds a shard."""
    told = summary(Home(home), FLEET, Secrets(), None)
    [line] = [line for line in told.splitlines() if "shard add" in line]
    return line.split(" shard add")[0].strip()


@pytest.mark.parametrize(
    ("called", "path", "said"),
    [
        pytest.param("bin/docshard", "bin", "docshard", id="by the name that is found"),
        pytest.param("docshard", "bin", "docshard", id="by its bare name"),
        pytest.param("bin/docshard", "", "bin/docshard", id="where it is not found"),
        pytest.param("bin/docshard", "other", "bin/docshard", id="where another one is found"),
    ],
)
def test_the_command_is_named_as_it_can_be_called(
    called: str, path: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("bin", "other"):
        program = tmp_path / folder / "docshard"
        program.parent.mkdir()
        program.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / path) if path else "")
    monkeypatch.setattr(sys, "argv", [called])
    assert step(tmp_path / ".docshard") == said
    assert step(tmp_path / "else where").startswith("DOCSHARD_HOME='")

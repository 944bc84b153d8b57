"""A shard is added from the fleet file: its servers, and the poolers before them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from deploy.cli.main import run
from deploy.cli.shard_add import shard_of
from deploy.errors import Exit, NotFound
from deploy.fleet.file import read_fleet_file
from services.pooler_settings import PoolerPasswords

PATH = Path(__file__).parents[2] / "deploy" / "fleet.example.toml"


def test_its_nodes_come_with_the_poolers_on_their_hosts() -> None:
    nodes = shard_of(read_fleet_file(PATH.read_text()), "shard-1")
    assert [(node.name, node.host, node.port) for node in nodes] == [
        ("shard-1-a", "10.20.0.12", 5433),
        ("shard-1-b", "10.20.0.13", 5433),
    ]
    assert [(one.host, one.port, one.database) for node in nodes if (one := node.pooler)] == [
        ("10.20.0.12", 6433, "docshard"),
        ("10.20.0.13", 6433, "docshard_replica"),
    ]


@pytest.mark.parametrize("name", ["shard-9", "global"])
def test_what_is_no_shard_there_is_told(name: str) -> None:
    with pytest.raises(NotFound, match=f"no shard {name}"):
        shard_of(read_fleet_file(PATH.read_text()), name)


@pytest.mark.parametrize(
    "words", [[], ["shard-1", "--node", "a=10.20.0.12:5433"]], ids=["no name", "both"]
)
def test_one_way_of_saying_where_it_is(words: list[str]) -> None:
    assert run(["shard", "add", *words, "--fleet", str(PATH)]) == Exit.USAGE


def test_the_roles_of_poolers_are_given_what_the_environment_has() -> None:
    known = PoolerPasswords(pooler_password=SecretStr("of the pooler"))
    assert dict(known.known()) == {"docshard_pooler": "of the pooler"}

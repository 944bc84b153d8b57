"""A restored server is parted from what lives, wherever its files lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.local.apart import has_socket, set_apart
from deploy.local.beside import Lying, running
from deploy.local.processes import give
from tests.integration.postgres import Site, site

SETTINGS = (
    "archive_mode",
    "cluster_name",
    "hba_file",
    "listen_addresses",
    "primary_conninfo",
    "unix_socket_directories",
)


@pytest.fixture(scope="module")
def servers() -> Iterator[Site]:
    with site() as made:
        yield made


def test_a_folder_with_quotes_is_a_folder_like_others(servers: Site) -> None:
    """And no setting of its own: what is said of it is read as it was meant."""
    into = servers.folder / "o'hara's \\ \"copy\""
    lying = Lying("shard-1", into, servers.engines.postgres, servers.engines.user)
    into.mkdir()
    give(into, lying.user)
    servers.copy(servers.template, lying.data)
    assert has_socket(lying.data)
    port = set_apart(lying.data, "shard-1", lying.user)
    with (
        running(lying, lambda _: None),
        psycopg.connect(host=str(lying.data), port=port, user="postgres") as connection,
    ):
        found = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(SETTINGS)]
        )
        told = {str(name): str(setting) for name, setting in found}
    assert told == {
        "archive_mode": "off",
        "cluster_name": "restored shard-1",
        "hba_file": str(lying.data / "pg_hba.conf"),
        "listen_addresses": "127.0.0.1",
        "primary_conninfo": "",
        "unix_socket_directories": '"' + str(lying.data).replace('"', '""') + '"',
    }


def test_a_comma_would_part_two_hosts() -> None:
    assert not has_socket(Path("/restored/a,b"))

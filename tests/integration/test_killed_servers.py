"""A server that is killed, as by a power cut, leaves nothing in the kernel once it is cleaned."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from deploy.errors import OperatorError
from deploy.fleet.settings import FleetSettings
from deploy.local import ports, processes
from deploy.local.checklist import PlainChecklist
from deploy.local.down import end_strays, take_down
from deploy.local.home import Home
from deploy.local.parts import Parts, parts_of
from deploy.local.planning import settle_state
from deploy.local.postgres import PostgresServer, release_memory
from tests.integration.pair import running_pair
from tests.integration.postgres import Site, server_folder

QUIET = PlainChecklist(Console(quiet=True))


@dataclass(frozen=True)
class Memory:
    """What a running server holds: files of /dev/shm, and its segment of System V."""

    files: frozenset[str]
    segment: int

    def left(self) -> set[str]:
        """What of it the kernel still has."""
        files = {name for name in self.files if Path(name).exists()}
        rows = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
        return files | {f"segment {row.split()[1]}" for row in rows if self.is_in(row)}

    def is_in(self, row: str) -> bool:
        return int(row.split()[1]) == self.segment


def memory_of(process: psutil.Process, data: Path) -> Memory:
    """What the server with these data maps."""
    mapped = [Path(f"/proc/{one.pid}/maps").read_text() for one in processes.family(process)]
    segment = (data / "postmaster.pid").read_text().splitlines()[6].split()[1]
    files = re.findall(r"\S+/PostgreSQL\.\d+", "".join(mapped))
    return Memory(frozenset(files), int(segment))


@pytest.fixture
def parts() -> Iterator[Parts]:
    """A fleet of which nothing runs."""
    with server_folder() as folder:
        home = Home(folder / "home")
        settings = FleetSettings(home=home.path, port=ports.free(), shards=1, replicas=0)
        made = parts_of(home, settle_state(home, settings, ha=False))
        try:
            yield made
        finally:
            take_down(home, QUIET)


@pytest.fixture
def server(parts: Parts) -> PostgresServer:
    """The fleet's global primary, which runs."""
    (primary,) = parts.clusters["global"]
    primary.start()
    return primary


def test_a_fleet_that_was_killed_and_taken_down_leaves_no_memory(
    parts: Parts, server: PostgresServer
) -> None:
    process = server.process()
    assert process is not None
    held = memory_of(process, server.folder)
    assert held.files
    with pytest.raises(OperatorError):
        release_memory(server.site.engines.postgres, server.folder, server.site.engines.user)
    assert held.left() == {*held.files, f"segment {held.segment}"}

    server.kill()
    assert held.left() == {*held.files, f"segment {held.segment}"}
    assert take_down(parts.site.home, QUIET) == 0
    assert not held.left()

    server.start()
    process = server.process()
    assert process is not None
    held = memory_of(process, server.folder)
    assert end_strays(parts.site.home) == 1
    assert not held.left()


def test_servers_of_tests_leave_no_memory(postgres_site: Site, pair_template: Path) -> None:
    with running_pair(postgres_site, pair_template, synchronous=False) as (primary, replica):
        assert primary.process is not None
        held = memory_of(primary.process, primary.folder)
        assert not held.files
        assert any((primary.folder / "pg_dynshmem").iterdir())
        primary.kill()
        assert held.left() == {f"segment {held.segment}"}
        replica.promote()
    assert not held.left()

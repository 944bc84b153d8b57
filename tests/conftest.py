"""Real servers for every tier that asks for them; one set for a whole run."""

import gc
from collections import Counter

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.acceptance.fleet import fleet
from tests.faults.matrix.results import PROPERTY, Result, headline, markdown, text
from tests.integration.databases import (
    bare_fleet,
    fleet_data,
    fleet_dbs,
    global_db,
    module_shard,
    own_fleet,
    postgres,
    postgres_site,
    shard_db,
    shard_servers,
)

__all__ = [
    "bare_fleet",
    "fleet",
    "fleet_data",
    "fleet_dbs",
    "global_db",
    "module_shard",
    "own_fleet",
    "postgres",
    "postgres_site",
    "shard_db",
    "shard_servers",
]


OF_THE_FLEET = (
    "tests/acceptance/",
    "tests/faults/test_dead_primary.py",
    "tests/faults/test_paused_replica.py",
    "tests/faults/test_router_killed.py",
)
"""Where tests of the common fleet are."""
MATRIX = "tests/faults/matrix/test_kill_matrix.py"
"""Each test process has servers of its own for these cases: those of one step stay together."""
GUARDED = "shards with standbys"
"""These are more servers, so one process has them all."""
LONGEST_FIRST = (*OF_THE_FLEET, "tests/faults/", "tests/integration/", "tests/")
"""What comes last is short, so that no process works on long after the others have ended."""


class ByServers(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Keeps together what shares servers: all tests of the common fleet, else those of one file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file == MATRIX:
            return GUARDED if nodeid.endswith("_promoted]") else nodeid.rpartition(".")[0]
        return "fleet" if file.startswith(OF_THE_FLEET) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByServers:
    """How test processes share the work: in the order of the tests."""
    config.option.loadscopereorder = False
    return ByServers(config, log)


def pytest_configure() -> None:
    """What is imported from here on stays: nothing is gained by looking for garbage meanwhile."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Tests' own garbage is looked for without what was imported: half a second each time."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Test processes that share the work run equal names once, which would hide the others."""
    names = Counter(item.nodeid for item in items)
    if repeated := [name for name, times in names.items() if times > 1]:
        raise pytest.UsageError(f"several tests have one name: {', '.join(repeated)}")
    if astray := {file for item in items if (file := _astray(item)) is not None}:
        raise pytest.UsageError(f"these files use the common fleet too: {', '.join(astray)}")
    items.sort(key=_place_in_line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what the kill matrix has shown, whichever processes ran its cases."""
    told = [
        Result(**value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if told:
        terminalreporter.section("kill matrix")
        for table in (text(told), markdown(told, headline())):
            terminalreporter.write_line(table + "\n")


def _place_in_line(item: pytest.Item) -> int:
    return next(at for at, where in enumerate(LONGEST_FIRST) if item.nodeid.startswith(where))


def _astray(item: pytest.Item) -> str | None:
    file = item.nodeid.partition("::")[0]
    uses_it = "fleet" in getattr(item, "fixturenames", ())
    return file if uses_it and not file.startswith(OF_THE_FLEET) else None

"""Real servers for every tier that asks for them; one set for a whole run."""

from collections import Counter

import pytest

from tests.acceptance.fleet import fleet
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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares servers: all tests of the common fleet, else those of one file.

    Test processes that share the work run equal names once, which would hide the others.
    """
    names = Counter(item.nodeid for item in items)
    if repeated := [name for name, times in names.items() if times > 1]:
        raise pytest.UsageError(f"several tests have one name: {', '.join(repeated)}")
    for item in items:
        shares_fleet = "fleet" in getattr(item, "fixturenames", ())
        group = "fleet" if shares_fleet else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))

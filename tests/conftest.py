"""Real servers for every tier that asks for them; one set for a whole run."""

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

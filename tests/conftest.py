"""Real databases for every tier that asks for them; one set of servers for a whole run."""

from tests.integration.databases import (
    fleet_data,
    fleet_dbs,
    global_db,
    module_shard,
    postgres,
    postgres_site,
    shard_db,
    shard_servers,
)

__all__ = [
    "fleet_data",
    "fleet_dbs",
    "global_db",
    "module_shard",
    "postgres",
    "postgres_site",
    "shard_db",
    "shard_servers",
]

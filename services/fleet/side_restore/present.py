"""A restored server is brought to the present: its roles' passwords, our functions, its schema.

What a backup has is of its own day. Passwords may have changed since, and so would lock us out;
functions and tables that this code asks for may not have been there.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.conninfo import make_conninfo

from services.errors import Conflict
from services.fleet import migrate
from services.fleet.restored_fleet import side_cluster
from services.fleet.shard_prepare import passwords, prepare
from services.pooler_settings import PoolerPasswords
from services.settings import DatabaseRole, Settings


@dataclass(frozen=True, slots=True)
class Side:
    """A restored server that runs: the folder of its socket, by which we are superuser."""

    cluster: str
    folder: str
    port: int


async def let_in(settings: Settings, side: Side) -> None:
    """Give roles the passwords of today, and the server our functions; its tables stay as they
    were.

    Raises:
        Unmet: it does not let us in by its socket.
    """
    superuser = make_conninfo(host=side.folder, port=side.port, user="postgres", dbname="postgres")
    await prepare(superuser, passwords(settings, PoolerPasswords()), settings.database)


async def make_present(settings: Settings, side: Side) -> str:
    """The same, and the schema of this code; answers what it was before, or nothing.

    Raises:
        Unmet; Conflict: a migration failed.
    """
    await let_in(settings, side)
    async with side_cluster(settings, side.cluster, side.port, DatabaseRole.ADMIN) as cluster:
        done = await migrate.up_restored(cluster)
    if done.error is not None:
        raise Conflict(f"The restored {side.cluster} cannot be migrated: {done.error}")
    return done.before or "" if done.before != done.after else ""

"""A bare cluster gets what it needs before it can be a shard: database, roles, extensions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping

import psycopg

from global_db.address import Login
from global_db.bootstrap import BootstrapRefused, bootstrap
from services.fleet.finding import Finding
from services.fleet.unmet import Unmet
from services.pooler_settings import PoolerPasswords
from services.settings import DatabaseRole, SettingMissing, Settings

SERVING = (DatabaseRole.APP, DatabaseRole.WORKER, DatabaseRole.MOVER)


def logins(settings: Settings, roles: Iterable[DatabaseRole] = DatabaseRole) -> tuple[Login, ...]:
    """Roles of ours, as far as their passwords are in the environment."""
    found = []
    for role in roles:
        with contextlib.suppress(SettingMissing):
            found.append(settings.login(role))
    return tuple(found)


def passwords(settings: Settings, poolers: PoolerPasswords) -> dict[str, str]:
    """Those of all roles of ours, as far as they are in the environment."""
    known = {login.role: login.password for login in logins(settings)} | dict(poolers.known())
    if settings.backup.db_password is not None:
        known["docshard_backup"] = settings.backup.db_password.get_secret_value()
    return known


async def prepare(superuser: str, passwords: Mapping[str, str], database: str) -> None:
    """Bootstrap the cluster behind the connection string of its superuser; safe to repeat.

    Raises:
        Unmet: the server cannot be used, or does not let us in.
    """
    try:
        await asyncio.to_thread(bootstrap, superuser, passwords, database)
    except (BootstrapRefused, psycopg.Error) as error:
        found = Finding("the cluster", f"refuses: {str(error).strip()}", "mend that, then again")
        raise Unmet("The cluster cannot be prepared.", [found]) from error

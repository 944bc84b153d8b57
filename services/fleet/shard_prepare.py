"""A bare cluster gets what it needs before it can be a shard: database, roles, extensions."""

from __future__ import annotations

import asyncio

import psycopg

from global_db.bootstrap import BootstrapRefused, bootstrap
from services.fleet.doctor import Finding
from services.fleet.unmet import Unmet
from services.settings import DatabaseRole, SettingMissing, Settings


async def prepare(settings: Settings, superuser: str) -> list[str]:
    """Bootstrap the cluster behind the connection string of its superuser; safe to repeat.

    Answers the roles whose passwords were set to ours: those whose are in the environment.

    Raises:
        Unmet: the server cannot be used, or does not let us in.
    """
    passwords = {}
    for role in DatabaseRole:
        try:
            passwords[role.value] = settings.login(role).password
        except SettingMissing:
            continue
    try:
        await asyncio.to_thread(bootstrap, superuser, passwords, settings.database)
    except (BootstrapRefused, psycopg.Error) as error:
        found = Finding("the cluster", f"refuses: {str(error).strip()}", "mend that, then again")
        raise Unmet("The cluster cannot be prepared.", [found]) from error
    return list(passwords)

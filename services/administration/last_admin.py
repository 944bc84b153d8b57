"""The last administrator cannot be removed: somebody has to let the others in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from global_db import grants
from global_db.connection import WriteConnection
from services.errors import LastAdmin


@asynccontextmanager
async def an_admin_remains(connection: WriteConnection) -> AsyncIterator[None]:
    """Around a change that may remove an administrator.

    Raises:
        LastAdmin: nobody active would be left; nothing is committed.
    """
    # One at a time: two administrators who remove each other would both see the other one remain.
    await grants.lock_admins(connection)
    yield
    if not await grants.an_admin_remains(connection):
        raise LastAdmin

"""The databases as an operator in a router sees them: the directory as the administrator, the
shards as the router."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from global_db.cluster import Cluster, PoolLimits
from services.resources import Data, Resources
from services.settings import DatabaseRole

_CONNECTIONS: Final = PoolLimits(min_size=0, max_size=3, max_waiting=20, wait_seconds=2.0)


class OperatorsData:
    """Opened when it is first asked for: a router that no operator looks at holds nothing."""

    def __init__(self, resources: Resources, stack: AsyncExitStack) -> None:
        self._resources = resources
        self._stack = stack
        self._opening = asyncio.Lock()
        self._data: Data | None = None

    @property
    def possible(self) -> bool:
        """Whether this process was given the administrator's password."""
        return self._resources.settings.admin_db_password is not None

    async def get(self) -> Data:
        """The databases; they are closed with the stack.

        Raises:
            SettingMissing: it is not possible.
        """
        async with self._opening:
            if self._data is None:
                self._data = await self._open()
        return self._data

    async def _open(self) -> Data:
        settings, data = self._resources.settings, self._resources.data
        login = settings.login(DatabaseRole.ADMIN)
        cluster = Cluster("global", settings.global_nodes, login, _CONNECTIONS)
        return replace(data, global_db=await self._stack.enter_async_context(cluster))

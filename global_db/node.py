"""One PostgreSQL server of a cluster: its address, its pool, and what the last probe said."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson
import psycopg
from psycopg.adapt import PyFormat
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb, set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, ConfigDict, Field

from global_db.connection import RawConnection, deadline

_CONNECT_SECONDS = 3.0
_PROBE_SECONDS = 2.0
# A server that answers nothing is not asked a second time: that would double the wait.
_AT_ONCE_SECONDS = 0.5


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pooler(_Frozen):
    """A PgBouncer in front of a node; `database` is the node's name inside the pooler."""

    host: str
    port: int = Field(ge=1, le=65535)
    database: str


class NodeAddress(_Frozen):
    """Where a server listens. Its role is never configured: it is asked."""

    name: str
    host: str
    port: int = Field(ge=1, le=65535)
    pooler: Pooler | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are on every cluster.

    Serving roles go through poolers where there are any; administrators and movers never do: their
    sessions keep locks and roles, and poolers do not know them.
    """

    role: str
    password: str
    database: str
    serves: bool = True

    def direct(self, address: NodeAddress) -> str:
        """Connection string past any pooler: for LISTEN, migrations and movers."""
        return self._conninfo(address.host, address.port, self.database)

    def pooled(self, address: NodeAddress) -> str:
        """Connection string through the pooler when there is one for this role."""
        if address.pooler is None or not self.serves:
            return self.direct(address)
        return self._conninfo(address.pooler.host, address.pooler.port, address.pooler.database)

    def _conninfo(self, host: str, port: int, database: str) -> str:
        return make_conninfo(
            host=host,
            port=port,
            dbname=database,
            user=self.role,
            password=self.password,
            connect_timeout=2,
            tcp_user_timeout=5000,
            keepalives_idle=5,
            application_name="docshard",
        )


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds of one node's pool: connections, waiting callers, and seconds a caller waits."""

    min_size: int = 1
    max_size: int = 10
    max_waiting: int = 200
    wait_seconds: float = 2.0


class Role(StrEnum):
    """What a node said of itself when last asked."""

    PRIMARY = "primary"
    REPLICA = "replica"
    DOWN = "down"


class Node:
    """A server with a pool of connections. Opened and closed by its cluster."""

    def __init__(self, address: NodeAddress, login: Login, limits: PoolLimits) -> None:
        self.address = address
        self.role = Role.DOWN
        self._conninfo = login.pooled(address)
        # Behind a transaction pooler a prepared statement may belong to another client.
        self._session: dict[str, Any] = {
            "autocommit": True,
            "row_factory": dict_row,
            "prepare_threshold": None if address.pooler and login.serves else 5,
        }
        self._wait_seconds = limits.wait_seconds
        self.pool: AsyncConnectionPool[RawConnection] = AsyncConnectionPool(
            self._conninfo,
            kwargs=self._session,
            min_size=limits.min_size,
            max_size=limits.max_size,
            max_waiting=limits.max_waiting,
            timeout=limits.wait_seconds,
            max_lifetime=900,
            reconnect_timeout=2,
            configure=_use_json,
            open=False,
            name=address.name,
        )
        self._probe: RawConnection | None = None
        self._suspected = False

    async def open(self) -> None:
        """Start the pool without waiting for the server."""
        await self.pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._drop_probe()
        await self.pool.close(timeout=2)

    def suspect(self) -> None:
        """A connection failed: the node is unknown until the next probe, its pool not trusted."""
        self.role = Role.DOWN
        self._suspected = True

    async def probe(self) -> Role:
        """Ask the node who it is, over a connection of its own, within seconds.

        A node that comes back, was suspected, or changes its role, gets a fresh pool: what the old
        connections point at may be a demoted primary.
        """
        found = await self._ask()
        if found is not Role.DOWN and (self._suspected or found is not self.role):
            self._suspected = False
            await self.renew()
        self.role = found
        return found

    async def renew(self) -> None:
        """Replace every pooled connection; those in use go when they are returned."""
        await self.pool.drain()

    async def _ask(self) -> Role:
        """Ask once, and again over a new connection when the old one turns out to be closed."""
        was_connected = self._probe is not None
        asked = time.monotonic()
        found = await self._ask_once()
        closed = found is Role.DOWN and time.monotonic() - asked < _AT_ONCE_SECONDS
        return await self._ask_once() if was_connected and closed else found

    async def _ask_once(self) -> Role:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                probe = await self._probe_connection()
            with deadline(probe, _PROBE_SECONDS):
                cursor = await probe.execute("SELECT pg_is_in_recovery() AS standby")
                row = await cursor.fetchone()
        except (psycopg.Error, OSError, TimeoutError):
            await self._drop_probe()
            return Role.DOWN
        return Role.REPLICA if row is None or row["standby"] else Role.PRIMARY

    async def _probe_connection(self) -> RawConnection:
        if self._probe is None:
            self._probe = await psycopg.AsyncConnection.connect(self._conninfo, **self._session)
        return self._probe

    async def _drop_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await probe.close()


async def _use_json(connection: RawConnection) -> None:
    """A dict is JSONB, and orjson reads and writes it."""
    set_json_dumps(orjson.dumps, connection)
    set_json_loads(orjson.loads, connection)
    connection.adapters.register_dumper(dict, connection.adapters.get_dumper(Jsonb, PyFormat.AUTO))

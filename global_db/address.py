"""Where a server listens, who we are there, and how many connections we take."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.conninfo import make_conninfo
from pydantic import BaseModel, ConfigDict, Field


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

"""Where a server listens, who we are there, and how many connections we take."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from psycopg.conninfo import make_conninfo
from pydantic import BaseModel, ConfigDict, Field

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
"""libpq's, from nothing to a certificate that names the host."""


def is_local(host: str) -> bool:
    """Whether what is sent to this host leaves no machine: loopback, or a folder of sockets."""
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class ServerTls:
    """How servers on other hosts prove who they are; `authority` signed their certificates."""

    mode: SslMode = "prefer"
    authority: Path | None = None

    def towards(self, host: str) -> dict[str, str]:
        """Parts of a connection string; on this host libpq's own manner is enough."""
        if is_local(host):
            return {}
        authority = {} if self.authority is None else {"sslrootcert": str(self.authority)}
        return {"sslmode": self.mode, **authority}


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
    tls: ServerTls = field(default_factory=ServerTls)

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
            **self.tls.towards(host),
        )


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds of one node's pool: connections, waiting callers, and seconds a caller waits."""

    min_size: int = 1
    max_size: int = 10
    max_waiting: int = 200
    wait_seconds: float = 2.0

"""How many server connections a pooler may open, so that nobody is locked out of a server."""

from __future__ import annotations

from pydantic import model_validator

from deploy.fleet.model import Part


class SizingRefused(ValueError):
    """The reserves eat the whole server: a pooler would be left without connections."""


class Connections(Part):
    """How one server's max_connections is divided.

    `superuser` is superuser_reserved_connections; `direct` counts what never goes through a pooler
    (listeners, leases, migrations); `moves` is for tenant moves; `admin` for operators at work.
    WAL senders are not counted: since PostgreSQL 12 they stand outside max_connections.
    """

    max_connections: int = 120
    superuser: int = 3
    direct: int = 16
    moves: int = 10
    admin: int = 6
    poolers: int = 1

    @model_validator(mode="after")
    def _something_is_left(self) -> Connections:
        if self.per_pooler < 4:
            raise SizingRefused(
                f"{self.max_connections} connections less the reserves, divided among "
                f"{self.poolers} poolers, leave {self.per_pooler}; at least 4 are needed"
            )
        return self

    @property
    def per_pooler(self) -> int:
        """max_db_connections of each pooler."""
        reserved = self.superuser + self.direct + self.moves + self.admin
        return (self.max_connections - reserved) // self.poolers

    @property
    def arithmetic(self) -> str:
        """How `per_pooler` comes about, in words and numbers."""
        shared = "" if self.poolers == 1 else f", divided among {self.poolers} processes"
        return (
            f"{self.max_connections} connections of a server, less {self.superuser} for superusers,"
            f" {self.direct} direct, {self.moves} for moves, {self.admin} for operators{shared}:"
            f" {self.per_pooler}."
        )

    @property
    def per_user(self) -> int:
        """default_pool_size: the application's share, a quarter stays for the worker."""
        return max(self.per_pooler * 3 // 4, 1)

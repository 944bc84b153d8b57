"""Work on a cluster's servers: which one it goes to is decided here, whose connection, by whom."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from global_db.at_once import UNDONE, Done, Work, at_once
from global_db.connection import WORK_SECONDS, Prelude, ReadConnection, WriteConnection
from global_db.loan import Loan, ReadLoan
from global_db.node import Node
from global_db.transaction import transaction


class Servers(ABC):
    """The servers of the cluster `name`, each asked over connections that `_lend` gives."""

    name: str
    nodes: tuple[Node, ...]

    @abstractmethod
    async def settle(self) -> None:
        """While it is only suspected that the primary is gone, wait for the verdict."""

    @abstractmethod
    def primary(self) -> Node:
        """The primary.

        Raises:
            ClusterUnavailable: none is known.
        """

    @abstractmethod
    def _lend(self, node: Node, *, writes: bool) -> Loan: ...

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadConnection]:
        """A connection to the primary, each statement its own transaction.

        Raises:
            ClusterUnavailable, PoolExhausted, DiskFull, StatementTimeout.
        """
        await self.settle()
        async with self.read_on(self.primary()) as connection:
            yield connection

    def read_on(self, node: Node, prelude: Prelude | None = None) -> ReadLoan:
        """A connection to this node; `prelude` goes before each statement.

        Raises:
            As `read`.
        """
        return ReadLoan(self._lend(node, writes=False), prelude)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteConnection]:
        """One transaction on the primary, committed when the block ends without an error.

        Raises:
            ClusterUnavailable, PoolExhausted, DiskFull, LockNotAvailable, StatementTimeout: rolled
                back.
            OutcomeUnknown: the connection was lost during COMMIT.
        """
        await self.settle()
        node = self.primary()
        async with self._lend(node, writes=True) as raw, transaction(raw) as connection:
            yield connection

    async def write_at_once(self, *works: Work, seconds: float = WORK_SECONDS) -> Done:
        """One transaction on the primary, in one message; see `at_once`.

        Raises:
            As `write`; OutcomeUnknown also for a connection that was lost before COMMIT.
        """
        await self.settle()
        node = self.primary()
        async with self._lend(node, writes=True) as raw:
            return await at_once(raw, works, seconds)

    async def rehearse_at_once(self, *works: Work) -> None:
        """The same, undone in the end: what it needs has been looked up by the session then.

        Raises:
            As `write_at_once`.
        """
        await self.settle()
        node = self.primary()
        async with self._lend(node, writes=True) as raw:
            await at_once(raw, works, WORK_SECONDS, UNDONE)

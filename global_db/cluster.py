"""One PostgreSQL cluster, a primary and its replicas: finds the primary, lends its connections.

A watcher asks every node for its role: each second while all is well, four times a second while no
primary is known. Callers never wait for a dead cluster: without a primary they are refused at once.
A lost connection alone is no such verdict: until the watcher has asked, callers wait for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout, TooManyRequests

from global_db.connection import (
    WORK_SECONDS,
    CommitInterrupted,
    RawConnection,
    ReadConnection,
    WriteConnection,
    deadline,
    is_connection_failure,
    transaction,
)
from global_db.errors import (
    ClusterUnavailable,
    ConnectionLost,
    LockNotAvailable,
    OutcomeUnknown,
    PoolExhausted,
    StatementTimeout,
)
from global_db.node import Login, Node, NodeAddress, Pooler, PoolLimits, Role
from global_db.timing import add, measured

__all__ = ["Cluster", "Login", "NodeAddress", "PoolLimits", "Pooler", "Role"]

_CALM_SECONDS = 1.0
_ALARMED_SECONDS = 0.25
_DOUBT_SECONDS = 1.0


class Cluster:
    """A named set of nodes of which one is the primary. `async with` opens and closes it."""

    def __init__(
        self, name: str, addresses: Sequence[NodeAddress], login: Login, limits: PoolLimits
    ) -> None:
        self.name = name
        self.login = login
        self.addresses = tuple(addresses)
        self.nodes = tuple(Node(address, login, limits) for address in addresses)
        self._alarm = asyncio.Event()
        self._looked = asyncio.Condition()
        self._watcher: asyncio.Task[None] | None = None
        # Suspicions so far, and how many of them the watcher's last look came after.
        self._suspicions = 0
        self._settled = 0

    async def __aenter__(self) -> Cluster:
        await asyncio.gather(*(node.open() for node in self.nodes))
        await self.look()
        self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        await asyncio.gather(*(node.close() for node in self.nodes))

    @property
    def available(self) -> bool:
        """Whether a primary was known at the last look."""
        return any(node.role is Role.PRIMARY for node in self.nodes)

    async def look(self) -> None:
        """Ask every node for its role now."""
        await asyncio.gather(*(node.probe() for node in self.nodes))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadConnection]:
        """A connection to the primary, each statement its own transaction.

        Raises:
            ClusterUnavailable, PoolExhausted, StatementTimeout.
        """
        async with self._lend() as raw:
            with deadline(raw, WORK_SECONDS):
                yield ReadConnection(raw)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteConnection]:
        """One transaction on the primary, committed when the block ends without an error.

        Raises:
            ClusterUnavailable, PoolExhausted, LockNotAvailable, StatementTimeout: rolled back.
            OutcomeUnknown: the connection was lost during COMMIT.
        """
        async with self._lend() as raw, transaction(raw) as connection:
            yield connection

    def primary_address(self) -> NodeAddress:
        """Where the primary listens itself, past any pooler."""
        return self._primary().address

    def _primary(self) -> Node:
        for node in self.nodes:
            if node.role is Role.PRIMARY:
                return node
        raise ClusterUnavailable(self.name, "no primary answers")

    async def _settle(self) -> None:
        """While it is only suspected that the primary is gone, wait for the watcher's verdict."""
        if self.available or not self._in_doubt():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DOUBT_SECONDS), self._looked:
                await self._looked.wait_for(lambda: self.available or not self._in_doubt())

    def _in_doubt(self) -> bool:
        return self._suspicions > self._settled

    @asynccontextmanager
    async def _lend(self) -> AsyncIterator[RawConnection]:
        await self._settle()
        node = self._primary()
        with self._translated(node):
            asked = time.perf_counter()
            async with node.pool.connection() as raw:
                add("pool", time.perf_counter() - asked)
                with measured("db"):
                    yield raw

    @contextmanager
    def _translated(self, node: Node) -> Iterator[None]:
        try:
            yield
        except (PoolTimeout, TooManyRequests) as error:
            self._alarm.set()
            raise PoolExhausted(self.name, "every connection is in use") from error
        except CommitInterrupted as error:
            self._suspect(node)
            raise OutcomeUnknown(self.name, "the connection was lost during COMMIT") from error
        except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
            raise LockNotAvailable(self.name, "a lock was not free in time") from error
        except errors.QueryCanceled as error:
            raise StatementTimeout(self.name, "a statement took too long") from error
        except errors.ReadOnlySqlTransaction as error:
            self._suspect(node)
            raise ConnectionLost(self.name, "the node is no primary any more") from error
        except psycopg.OperationalError as error:
            if is_connection_failure(error):
                self._suspect(node)
                raise ConnectionLost(self.name, "the connection was lost") from error
            raise ClusterUnavailable(self.name, "the primary cannot serve now") from error

    def _suspect(self, node: Node) -> None:
        """Treat the node as unknown: its pool is renewed when the next probe finds it alive."""
        node.suspect()
        self._suspicions += 1
        self._alarm.set()

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CALM_SECONDS if self.available else _ALARMED_SECONDS):
                    await self._alarm.wait()
            self._alarm.clear()
            suspicions = self._suspicions
            await self.look()
            self._settled = suspicions
            async with self._looked:
                self._looked.notify_all()

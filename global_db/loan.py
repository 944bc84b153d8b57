"""A connection that is lent for a block: counted, timed, and what breaks it told in our words.

Every request comes through here, so these are classes: as generators of `contextlib`, one for each
thing that is done, they cost more than what they do.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final, Protocol

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout, TooManyRequests

from global_db.connection import (
    WORK_SECONDS,
    CommitInterrupted,
    ReadConnection,
    deadline,
    is_connection_failure,
)
from global_db.cursors import KeepingConnection, KeptRead
from global_db.errors import (
    ClusterError,
    ClusterUnavailable,
    ConnectionLost,
    DiskFull,
    LockNotAvailable,
    OutcomeUnknown,
    PoolExhausted,
    StatementTimeout,
)
from global_db.node import Node, Role
from global_db.prelude import Prelude
from global_db.tally import ClusterTally
from global_db.timing import note_work

_Kinds = tuple[type[Exception], ...]
_MEANINGS: Final[tuple[tuple[_Kinds, type[ClusterError], str], ...]] = (
    ((CommitInterrupted,), OutcomeUnknown, "the connection was lost during COMMIT"),
    (
        (errors.LockNotAvailable, errors.DeadlockDetected),
        LockNotAvailable,
        "a lock was not free in time",
    ),
    ((errors.QueryCanceled,), StatementTimeout, "a statement took too long"),
    ((errors.ReadOnlySqlTransaction,), ConnectionLost, "the node is no primary any more"),
    ((errors.DiskFull,), DiskFull, "a volume of the node is full"),
)


class Lender(Protocol):
    """Whose connections are lent: a node out of its pool, or who keeps one of it."""

    async def lend(self, *, writes: bool) -> KeepingConnection:
        """A connection, to be given back with `take_back`."""

    async def take_back(self, raw: KeepingConnection) -> None:
        """It is used no longer."""


class Loan:
    """One connection of a node of the cluster `name`, from its pool and back, or from `lender`.

    Raises:
        ClusterError: in the place of what the driver says about server, connection or locks.
    """

    __slots__ = (
        *("_asked", "_lender", "_lent", "_name", "_node", "_on_replica", "_raw", "_tally"),
        "_writes",
    )

    def __init__(
        self,
        name: str,
        node: Node,
        tally: ClusterTally,
        *,
        writes: bool,
        lender: Lender | None = None,
    ) -> None:
        self._name = name
        self._node = node
        self._lender: Lender = node if lender is None else lender
        self._tally = tally
        self._writes = writes

    async def __aenter__(self) -> KeepingConnection:
        self._asked = time.perf_counter()
        try:
            self._raw = await self._lender.lend(writes=self._writes)
        except BaseException as error:
            self._tell(error)
            raise
        self._lent = time.perf_counter()
        # The role that it was chosen for; it may lose it before the work ends.
        self._on_replica = self._node.role is Role.REPLICA
        return self._raw

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tally.worked(self._asked, self._lent, on_replica=self._on_replica)
        note_work(self._name, self._asked, self._lent)
        await self._lender.take_back(self._raw)
        if error is not None:
            self._tell(error)

    def _tell(self, error: BaseException) -> None:
        """Raise what the error means; nothing when it is none of ours."""
        if isinstance(error, ClusterError):
            self._tally.failed(error)
        elif (meaning := self._meaning(error)) is not None:
            raise self._tally.failed(meaning) from error

    def _meaning(self, error: BaseException) -> ClusterError | None:
        if isinstance(error, PoolTimeout | TooManyRequests):
            return self._no_connection()
        if isinstance(error, CommitInterrupted | errors.ReadOnlySqlTransaction):
            self._node.suspect()
        for kinds, meaning, words in _MEANINGS:
            if isinstance(error, kinds):
                return meaning(self._name, words)
        return self._broken(error) if isinstance(error, psycopg.OperationalError) else None

    def _broken(self, error: psycopg.OperationalError) -> ClusterUnavailable:
        if is_connection_failure(error):
            self._node.suspect()
            return ConnectionLost(self._name, "the connection was lost")
        return ClusterUnavailable(self._name, "the node cannot serve now")

    def _no_connection(self) -> ClusterUnavailable:
        self._node.alarm.set()
        if self._node.connects:
            return PoolExhausted(self._name, "every connection is in use")
        return ClusterUnavailable(self._name, "no connection could be made")


class ReadLoan:
    """A loan to read with, cut when it takes too long; `prelude` goes before each statement."""

    __slots__ = ("_deadline", "_loan", "_prelude")

    def __init__(self, loan: Loan, prelude: Prelude | None) -> None:
        self._loan = loan
        self._prelude = prelude

    async def __aenter__(self) -> ReadConnection:
        raw = await self._loan.__aenter__()
        self._deadline = deadline(raw, WORK_SECONDS)
        self._deadline.__enter__()
        return KeptRead(raw, self._prelude)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._deadline.__exit__(kind, error, trace)
        await self._loan.__aexit__(kind, error, trace)

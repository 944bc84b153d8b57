"""Connections that are kept for a while: one to each server that is asked, out of its pool.

What goes over them waits for no pool, and meets a session that knows already what was asked of it
before: in a new one the first call of a function plans all of its statements, which took six times
as long as the second.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg.pq import PipelineStatus, TransactionStatus

from global_db.connection import finish
from global_db.cursors import KeepingConnection
from global_db.loan import Loan
from global_db.node import Node
from global_db.servers import Servers
from global_db.tally import ClusterTally


class Kept(Servers):
    """The servers of a cluster over connections of its own, from first use to the block's end.

    At most one connection to each server is kept; a second work at the same moment borrows another
    from the pool. Roles, errors and counts are the cluster's: a kept connection that is lost fails
    what is under way as a lent one does, and what comes next has one from the pool.
    """

    def __init__(self, servers: Servers, tally: ClusterTally) -> None:
        self.name = servers.name
        self.nodes = servers.nodes
        self._servers = servers
        self._tally = tally
        self._lines: dict[Node, _Line] = {}

    async def settle(self) -> None:
        """While it is only suspected that the primary is gone, wait for the verdict."""
        await self._servers.settle()

    def primary(self) -> Node:
        """The primary, as the cluster knows it now.

        Raises:
            ClusterUnavailable: none is known.
        """
        return self._servers.primary()

    def _lend(self, node: Node, *, writes: bool) -> Loan:
        line = self._lines.setdefault(node, _Line(node))
        return Loan(self.name, node, self._tally, writes=writes, lender=line)

    async def give_back(self) -> None:
        """Every connection goes back into its pool; one that is in use does when that has ended."""
        for line in self._lines.values():
            await line.end()


@asynccontextmanager
async def keeping(servers: Servers, tally: ClusterTally) -> AsyncIterator[Kept]:
    """Connections to these servers, given back however the block ends."""
    kept = Kept(servers, tally)
    try:
        yield kept
    finally:
        await finish(kept.give_back())


class _Line:
    """The connection to one server: borrowed once, lent again and again.

    Between two works it counts as nobody's: it is no reading that is outstanding, and none that
    has to be cut for.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._raw: KeepingConnection | None = None
        self._busy = self._ended = False

    async def lend(self, *, writes: bool) -> KeepingConnection:
        if self._busy or self._ended:
            return await self._node.lend(writes=writes)
        self._busy = True
        try:
            if self._raw is None:
                self._raw = await self._node.lend(writes=writes)
            else:
                self._node.note_use(self._raw, writes=writes)
        except BaseException:
            self._busy = False
            raise
        return self._raw

    async def take_back(self, raw: KeepingConnection) -> None:
        if raw is not self._raw:
            await self._node.take_back(raw)
            return
        self._busy = False
        if self._ended or not _is_clean(raw):
            self._raw = None
            await self._node.take_back(raw)
        else:
            self._node.note_rest(raw)

    async def end(self) -> None:
        """Back into the pool; a work that is still under way gives it back itself."""
        self._ended = True
        if self._raw is not None and not self._busy:
            raw, self._raw = self._raw, None
            await self._node.take_back(raw)


def _is_clean(raw: KeepingConnection) -> bool:
    """Whether another work may follow; what to do when not so, the pool knows."""
    return (
        raw.info.transaction_status is TransactionStatus.IDLE
        and raw.pgconn.pipeline_status == PipelineStatus.OFF
    )

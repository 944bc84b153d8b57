"""One PostgreSQL cluster, a primary and its replicas: finds the primary, lends its connections.

Nobody configures roles: nodes are asked. Callers never wait for a dead cluster: without a primary
they are refused at once. A lost connection alone is no such verdict: until the node was asked again
callers wait for that. Of two that call themselves primary the one on the newer timeline is; and
once a timeline was seen, a primary on an older one is never followed again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from global_db.address import Login, NodeAddress, Pooler, PoolLimits
from global_db.choice import Candidate, Wanted, order
from global_db.errors import ClusterUnavailable
from global_db.kept import Kept, keeping
from global_db.lag import Sample, Track
from global_db.loan import Loan
from global_db.node import Node, Role
from global_db.poller import Poller
from global_db.probe import Place
from global_db.servers import Servers
from global_db.tally import ClusterTally

__all__ = ["Cluster", "Login", "Node", "NodeAddress", "PoolLimits", "Pooler", "Role"]

_DOUBT_SECONDS = 1.0
_OTHERS_SECONDS = 0.3


class Cluster(Servers):
    """A named set of nodes of which one is the primary. `async with` opens and closes it.

    What it counts goes into `tally`, which may be older than it and outlive it.
    """

    def __init__(
        self,
        name: str,
        addresses: Sequence[NodeAddress],
        login: Login,
        limits: PoolLimits,
        tally: ClusterTally | None = None,
    ) -> None:
        self.name = name
        self.tally = ClusterTally() if tally is None else tally
        self.login = login
        self.addresses = tuple(addresses)
        self.nodes = tuple(Node(address, login, limits) for address in addresses)
        self._poller = Poller(self.nodes, lambda: self.available, self._learn)
        self._answered = asyncio.Event()
        self._track = Track()
        self._chance = random.Random()  # noqa: S311 - spreads load, guards nothing
        # The newest timeline that any node was seen on, and the database system it belongs to.
        self._newest = 0
        self._system = 0

    async def __aenter__(self) -> Cluster:
        await asyncio.gather(*(node.open() for node in self.nodes))
        self._poller.start(self.name)
        await self._first_look()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._poller.stop()
        await asyncio.gather(*(node.close() for node in self.nodes))

    @property
    def available(self) -> bool:
        """Whether a primary was known at the last look."""
        return self._find_primary() is not None

    @property
    def readable(self) -> bool:
        """Whether any node answers: without a primary that is enough for reads."""
        return any(node.role is not Role.DOWN for node in self.nodes)

    async def look(self) -> None:
        """Ask every node for its role now."""
        await asyncio.gather(*(self._poller.ask(node) for node in self.nodes))

    def keep(self) -> AbstractAsyncContextManager[Kept]:
        """The same servers over connections that are kept until the block ends."""
        return keeping(self, self.tally)

    def primary_address(self) -> NodeAddress:
        """Where the primary listens itself, past any pooler."""
        return self.primary().address

    def primary(self) -> Node:
        """The primary.

        Raises:
            ClusterUnavailable: none is known; all nodes are asked for it.
        """
        found = self._find_primary()
        if found is None:
            self._poller.ring()
            raise self.tally.failed(ClusterUnavailable(self.name, "no primary answers"))
        return found

    def replicas_for(self, wanted: Wanted) -> list[Node]:
        """Replicas that may answer, best first; from now on all nodes are watched closely."""
        self._poller.want()
        candidates = [
            one for number in range(len(self.nodes)) if (one := self._candidate(number)) is not None
        ]
        return [self.nodes[one.number] for one in order(candidates, wanted, self._chance)]

    def shown_by(self, node: Node) -> Sample | None:
        """What the node is known to show: everything acknowledged before the sample was asked."""
        if node.place is None:
            return None
        return self._track.shown_by(node.place.timeline, node.place.lsn)

    async def next_answer(self) -> None:
        """Ask every node, and wait until one has answered or not."""
        self._poller.ring()
        await self._answered.wait()

    async def settle(self) -> None:
        """While it is only suspected that the primary is gone, wait for the verdict."""
        if self.available or not self._in_doubt():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DOUBT_SECONDS):
                while not self.available and self._in_doubt():
                    await self._answered.wait()

    def _find_primary(self) -> Node | None:
        found = [node for node in self.nodes if node.role is Role.PRIMARY]
        best = max(found, key=_timeline, default=None)
        return None if best is None or 0 < _timeline(best) < self._newest else best

    def _candidate(self, number: int) -> Candidate | None:
        node = self.nodes[number]
        shown = self.shown_by(node)
        if not node.trusted or node.place is None or shown is None:
            return None
        age = time.monotonic() - shown.asked_at
        return Candidate(number, node.place.lsn, age, node.outstanding, node.places)

    def _learn(self, node: Node) -> None:
        place = node.place
        if place is not None and place.timeline is not None and node.role is not Role.DOWN:
            if place.system != self._system:
                self._system, self._newest = place.system, 0
            self._newest = max(self._newest, place.timeline)
            if not place.standby and node is self._find_primary():
                self._follow(node, place)
        self._answered.set()
        self._answered = asyncio.Event()

    def _follow(self, primary: Node, place: Place) -> None:
        if place.timeline is None:
            return
        if place.timeline > self._track.timeline > 0:
            for node in self.nodes:
                if node is not primary:
                    node.depose()
        self._track.record(place.timeline, Sample(place.asked_at, place.lsn))

    async def _first_look(self) -> None:
        """Until every node was asked; with a primary found, a dead replica delays no start."""
        while not self.available and self._in_doubt():
            await self._answered.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_OTHERS_SECONDS):
                while self._in_doubt():
                    await self._answered.wait()

    def _in_doubt(self) -> bool:
        return any(node.in_doubt for node in self.nodes)

    def _lend(self, node: Node, *, writes: bool) -> Loan:
        return Loan(self.name, node, self.tally, writes=writes)


def _timeline(node: Node) -> int:
    """0 where it is not known."""
    return 0 if node.place is None or node.place.timeline is None else node.place.timeline

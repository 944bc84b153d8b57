"""One PostgreSQL server of a cluster: its pool, and what it last said of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from weakref import WeakSet

import orjson
from psycopg.adapt import PyFormat
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb, set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

from global_db.address import Login, NodeAddress, PoolLimits
from global_db.breaker import Breaker
from global_db.connection import RawConnection, cut
from global_db.cursors import KeepingConnection
from global_db.probe import Place, Probe
from global_db.proofs import Proofs

_PROBE_SECONDS = 2.0
# A replica that takes so long is not worth asking: the primary answers instead.
_REPLICA_PROBE_SECONDS = 0.5
_GOOD_ANSWERS_OF_REPLICA = 3


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
        self.place: Place | None = None
        self.ancestors: Mapping[int, int] = {}
        self.proofs = Proofs()
        self.places = limits.max_size
        self.alarm = asyncio.Event()
        """Set, it is asked at once."""
        conninfo = login.pooled(address)
        session: dict[str, Any] = {
            "autocommit": True,
            "row_factory": dict_row,
            # Behind a transaction pooler a prepared statement may belong to another client.
            "prepare_threshold": None if address.pooler and login.serves else 5,
        }
        self.pool: AsyncConnectionPool[KeepingConnection] = AsyncConnectionPool(
            conninfo,
            connection_class=KeepingConnection,
            kwargs=session,
            min_size=limits.min_size,
            max_size=limits.max_size,
            max_waiting=limits.max_waiting,
            timeout=limits.wait_seconds,
            max_lifetime=900,
            reconnect_timeout=2,
            configure=self._made,
            open=False,
            name=address.name,
        )
        self._probe = Probe(conninfo, session)
        self._asking = asyncio.Lock()
        self._breaker = Breaker(_GOOD_ANSWERS_OF_REPLICA)
        self._history: int | None = None
        # Reasons to ask it so far, and how many of them the last answer came after.
        self._doubts = 1
        self._settled = 0
        self._connections: WeakSet[KeepingConnection] = WeakSet()
        # How many attempts to connect had failed when one last succeeded.
        self._failed = 0
        self._reading: set[RawConnection] = set()
        self._writing: set[RawConnection] = set()

    @property
    def trusted(self) -> bool:
        """Whether it is a replica that has answered for a while."""
        return self.role is Role.REPLICA and self._breaker.trusted

    @property
    def in_doubt(self) -> bool:
        """Whether a connection failed, or it is new, and it has not been asked since."""
        return self._doubts > self._settled

    @property
    def outstanding(self) -> int:
        """How many of our reads run on it."""
        return len(self._reading)

    @property
    def connects(self) -> bool:
        """Whether its pool has connections, or none of the attempts to make one has failed lately.

        That nobody holds one says nothing: between two who use it, it is nobody's, for long where
        the processor is busy, and there the first one is long in the making.
        """
        has_some = any(not raw.closed for raw in self._connections)
        return has_some or self._failures() == self._failed

    async def open(self) -> None:
        """Start the pool without waiting for the server."""
        await self.pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._probe.close()
        await self.pool.close(timeout=2)

    def suspect(self) -> None:
        """A connection failed: the node is unknown until the next probe, its pool not trusted."""
        self.role = Role.DOWN
        self._doubts += 1
        self._breaker.bad()
        self.alarm.set()

    async def probe(self) -> Role:
        """Ask the node who it is, over a connection of its own, within seconds.

        A node that comes back, was suspected, or changes its role, gets a fresh pool: what the old
        connections point at may be a demoted primary.
        """
        async with self._asking:
            patience = _REPLICA_PROBE_SECONDS if self.role is Role.REPLICA else _PROBE_SECONDS
            doubted, doubts = self.in_doubt, self._doubts
            place = await self._probe.ask(patience)
            found = _role_of(place)
            if found is not Role.DOWN and (doubted or found is not self.role):
                await self.renew()
            if place is not None:
                await self._learn_ancestors(place)
            self._settled = doubts
            self._settle(place, found)
        return found

    async def renew(self) -> None:
        """Replace every pooled connection; those in use go when they are returned."""
        await self.pool.drain()

    async def lend(self, *, writes: bool) -> KeepingConnection:
        """A connection, to be given back with `take_back`.

        One to read with is cut when the node stops answering: another can answer instead. One to
        write with is cut when another node has become the primary.
        """
        raw = await self.pool.getconn()
        self.note_use(raw, writes=writes)
        return raw

    async def take_back(self, raw: KeepingConnection) -> None:
        """Into the pool; what is left open on it is rolled back."""
        self.note_rest(raw)
        await self.pool.putconn(raw)

    def note_use(self, raw: RawConnection, *, writes: bool) -> None:
        """A work begins on a connection that was lent."""
        (self._writing if writes else self._reading).add(raw)

    def note_rest(self, raw: RawConnection) -> None:
        """It has ended; who keeps the connection may begin another."""
        self._reading.discard(raw)
        self._writing.discard(raw)

    def depose(self) -> None:
        """Another node is the primary: who waits for this one does so in vain."""
        for raw in self._writing:
            cut(raw)

    async def _made(self, connection: KeepingConnection) -> None:
        await use_json(connection)
        self._connections.add(connection)
        self._failed = self._failures()

    def _failures(self) -> int:
        """How many attempts of the pool to connect have failed so far."""
        return self.pool.get_stats().get("connections_errors", 0)

    def _settle(self, place: Place | None, found: Role) -> None:
        if found is Role.DOWN:
            self._breaker.bad()
            for raw in self._reading:
                cut(raw)
        else:
            self._breaker.good()
        if place is not None:
            self.proofs.reached(place.life, place.timeline, place.lsn)
        if self.in_doubt:  # a connection failed while it was asked: that is newer
            return
        self.role = found
        self.place = place

    async def _learn_ancestors(self, place: Place) -> None:
        if place.timeline is None or place.timeline == self._history:
            return
        found = await self._probe.ancestors(place.timeline, _PROBE_SECONDS)
        self.ancestors = found or {}
        # Unknown ones are asked for again: the file may still be on its way.
        self._history = None if found is None else place.timeline


def _role_of(place: Place | None) -> Role:
    if place is None:
        return Role.DOWN
    return Role.REPLICA if place.standby else Role.PRIMARY


async def use_json(connection: RawConnection) -> None:
    """A dict is JSONB, and orjson reads and writes it."""
    set_json_dumps(orjson.dumps, connection)
    set_json_loads(orjson.loads, connection)
    connection.adapters.register_dumper(dict, connection.adapters.get_dumper(Jsonb, PyFormat.AUTO))

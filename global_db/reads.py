"""One read on the server that should answer it, and on the next one when that cannot.

What a server promises is checked by the server itself, in a prelude to the statement: what we know
of it only chooses. So a token holds on any worker of any host, however old its knowledge is. What
a server has proven already it need not prove again, as long as it lives: see `proofs`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import field
from typing import Any, Generic, TypeVar

import psycopg
import sqlalchemy as sa

from global_db.choice import Wanted
from global_db.cluster import Cluster, Node, Role
from global_db.connection import Prelude, ReadConnection, Row
from global_db.errors import ClusterUnavailable, ConnectionLost, PoolExhausted, WriteLost
from global_db.position import Fate, Position, fate
from global_db.proofs import Demand
from global_db.reading import Reading, Served, note_served
from global_db.staleness import age_of
from global_db.statement import ReadStatement, read
from global_db.values import value

T = TypeVar("T")
Work = Callable[[ReadConnection], Awaitable[T]]

# How long a replica may take to replay a write that it lacks; then the primary answers.
_PATIENCE_MS = 20
# How long to wait for a primary that has the write, while nodes tell who they are.
_DOUBT_SECONDS = 0.5
_ELSEWHERE = frozenset({"DS007", "DS008"})
# Whatever else our functions refuse, a replica may refuse because it has not heard of it yet.
_OURS = "DS"

DEMAND = sa.func.docshard.demand_place(
    sa.bindparam("timeline", type_=sa.Integer),
    sa.bindparam("lsn", type_=sa.BigInteger),
    sa.bindparam("patience_ms", type_=sa.Integer),
)
"""Raises on a server that has not the demanded place."""

LIFE = sa.func.docshard.life(type_=sa.BigInteger).label("life")
"""In which life of its it answers."""

_DEMAND = read(sa.select(DEMAND.label("there"), LIFE))


class _Xid8(sa.types.UserDefinedType[int]):
    """A transaction's number with its epoch; SQLAlchemy has no name for it."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


_XID = sa.cast(sa.bindparam("xid", type_=sa.BigInteger), sa.Text)
_STATUS = read(sa.select(sa.func.pg_xact_status(sa.cast(_XID, _Xid8)).label("status")))


@value
class Entrance:
    """What goes before each statement of a read: where a place is demanded, and where none is.

    `subject` is whom the parameters speak of.
    """

    demanding: ReadStatement = _DEMAND
    plain: ReadStatement | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    subject: Hashable = None

    def before(self, demand: Demand | None, node: Node) -> Prelude | None:
        """The prelude for this demand on this node."""
        if demand is None:
            return None if self.plain is None else Prelude(self.plain, dict(self.parameters))

        def learn(found: Row) -> None:
            node.proofs.entered(found["life"], demand, self.subject)

        values = {
            "timeline": demand.timeline,
            "lsn": demand.lsn,
            "patience_ms": demand.patience_ms,
        }
        life = node.proofs.life_of(demand, self.subject)
        return Prelude(self.demanding, {**self.parameters, **values}, life, learn)


class _NotThere(Exception):
    """The server has not the place that the read demands."""


async def read_from(
    cluster: Cluster, reading: Reading, work: Work[T], entrance: Entrance | None = None
) -> T:
    """Run `work` on a replica where the reading allows it and one will do, else on the primary.

    It may run several times. While there is no primary a replica answers.

    Raises:
        WriteLost, ClusterUnavailable, PoolExhausted, StatementTimeout.
    """
    return await _Read(cluster, reading, work, entrance or Entrance()).run()


@value
class _Read(Generic[T]):
    """One read under way."""

    cluster: Cluster
    reading: Reading
    work: Work[T]
    entrance: Entrance

    async def run(self) -> T:
        patience_ms = _PATIENCE_MS
        for node in self._replicas():
            try:
                return await self._on_replica(node, patience_ms)
            except (_NotThere, ClusterUnavailable):
                patience_ms = 0  # one wait is enough
        try:
            return await self._on_primary()
        except PoolExhausted:
            raise
        except ClusterUnavailable as error:
            return await self._without_primary(error)

    def _replicas(self) -> list[Node]:
        if self.reading.max_staleness is None:
            return []
        lsn = None if self.reading.after is None else self.reading.after.lsn
        return self.cluster.replicas_for(Wanted(self.reading.max_staleness, lsn))

    async def _on_replica(self, node: Node, patience_ms: int) -> T:
        """What the node is known to show is demanded, too: then the lag that is told is true."""
        shown, demand = self.cluster.shown_by(node), _demand(node, self.reading.after)
        if shown is None or demand is None:
            raise _NotThere
        place = Demand(demand.timeline, max(demand.lsn, shown.lsn), patience_ms)
        value = await self._on(node, place)
        note_served(Served("replica", time.monotonic() - shown.asked_at))
        return value

    async def _on_primary(self) -> T:
        deadline, lost = time.monotonic() + _DOUBT_SECONDS, 0
        while True:
            try:
                value = await self._ask_primary()
            except ConnectionLost:
                # Nothing speaks against the server: it may have been this one connection.
                lost += 1
                if lost > 1:
                    raise
            except _NotThere as error:
                # It may be the primary of yesterday: what the nodes say now decides.
                if time.monotonic() > deadline:
                    raise ClusterUnavailable(
                        self.cluster.name, "the primary lacks the write"
                    ) from error
                await self.cluster.next_answer()
            else:
                note_served(Served("primary"))
                return value

    async def _ask_primary(self) -> T:
        await self.cluster.settle()
        node, after = self.cluster.primary(), self.reading.after
        if after is None:
            return await self._behind(node, None)
        demand = _demand(node, after) or await _proven(self.cluster, node, after)
        proves = node.place is not None and node.place.system != 0
        return await (self._on(node, demand) if proves else self._behind(node, None))

    async def _without_primary(self, why: ClusterUnavailable) -> T:
        """On any replica that answers. Without a token it shows what it has, and says how old that
        is; with one it must have that write."""
        for node in self.cluster.nodes:
            demand = None if self.reading.after is None else _demand(node, self.reading.after)
            lacks = self.reading.after is not None and demand is None
            if node.role is not Role.REPLICA or lacks:
                continue
            try:
                value = await self._on(node, demand)
            except (_NotThere, ClusterUnavailable):
                continue
            note_served(Served("replica", age_of(self.cluster, node)))
            return value
        raise why

    async def _on(self, node: Node, demand: Demand | None) -> T:
        return await self._behind(node, self.entrance.before(demand, node))

    async def _behind(self, node: Node, prelude: Prelude | None) -> T:
        try:
            async with self.cluster.read_on(node, prelude) as connection:
                return await self.work(connection)
        except psycopg.Error as error:
            state = error.sqlstate or ""
            if state in _ELSEWHERE or (node.role is Role.REPLICA and state.startswith(_OURS)):
                node.alarm.set()
                raise _NotThere from error
            raise


def _demand(node: Node, after: Position | None) -> Demand | None:
    """What to demand of the node; None when it cannot have the position for certain."""
    if node.place is None or node.place.timeline is None:
        return None
    timeline = node.place.timeline
    if after is None:
        return Demand(timeline, 0)
    kept = fate(after, timeline, node.ancestors) is Fate.KEPT
    return Demand(timeline, after.lsn) if kept else None


async def _proven(cluster: Cluster, primary: Node, after: Position) -> Demand:
    """What to demand of the primary for a position near or behind a fork.

    Raises:
        WriteLost; _NotThere: the primary cannot know.
    """
    if primary.place is None or primary.place.timeline is None:
        raise _NotThere
    found = fate(after, primary.place.timeline, primary.ancestors)
    if found is Fate.AHEAD or not primary.ancestors:
        raise _NotThere
    if found is Fate.LOST or not await _committed(cluster, primary, after):
        raise WriteLost(cluster.name, "a failover has lost this write")
    return Demand(primary.place.timeline, 0)


async def _committed(cluster: Cluster, primary: Node, after: Position) -> bool:
    """Whether the commit record came over the fork.

    The changes did, so the transaction's number was taken there and given to no other since.
    """
    try:
        async with cluster.read_on(primary) as connection:
            row = await connection.one(_STATUS, xid=after.xid)
    except psycopg.errors.InvalidParameterValue:  # a number that was never taken here
        return False
    return row is not None and row["status"] == "committed"

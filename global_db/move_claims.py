"""Who runs a move, and for how long.

A run is a generation: claiming a move raises it, and whoever runs it says its own with every
statement (see `move_runs`). Leases are told by this database's clock alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from global_db.at_once import Work
from global_db.cluster import Cluster
from global_db.connection import ReadConnection, WriteConnection
from global_db.move_runs import MINE, RunEnded
from global_db.move_tables import ENDED, STARTED, in_state, leftovers, moves, rebalances
from global_db.moves import Move
from global_db.statement import read, write


@dataclass(frozen=True, slots=True)
class Claimed:
    """A move with the run that was just begun; `settings` are its rebalance's, `wish` as of now."""

    move: Move
    settings: Mapping[str, Any]
    wish: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run ends early. `seconds`: the move is left alone for so long."""

    fault: str
    seconds: float


# Nobody is given a move, or leaves one alone, for longer. What lies farther ahead was written
# before this server's clock was set back, and would otherwise hold for as long as that was.
_LONGEST_SECONDS = 120.0


def _seconds(seconds: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.literal_column("interval '1 second'") * seconds


def _holds(until: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether something that was given until then still counts."""
    now = sa.func.clock_timestamp()
    longest = _seconds(sa.literal_column(str(_LONGEST_SECONDS)))
    return sa.func.coalesce((until > now) & (until <= now + longest), sa.false())


_rebalance = sa.func.coalesce(rebalances.c.state, "running")


def _wish(rebalance: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """What is wished of a move whose rebalance is in this state.

    A stopped rebalance begins no move any more; a paused one lets each of its moves wait.
    """
    return sa.case(
        ((moves.c.wish == "abort") | (in_state("planned") & (rebalance == "stopped")), "abort"),
        ((moves.c.wish == "pause") | (rebalance == "paused"), "pause"),
        else_="run",
    )


_asked = _wish(_rebalance)
_with_rebalance = sa.join(moves, rebalances, moves.c.rebalance_id == rebalances.c.id, isouter=True)
_ORDER = ("fenced", "aborted", "switched", "verifying", "catching_up", "copying", "planned")
_busy = (
    sa.select(moves.c.source, moves.c.target)
    .where(in_state(*STARTED) | (in_state("planned") & _holds(moves.c.lease_until)))
    .cte("busy")
)
# Of ended moves only those are of interest whose debris is still about.
_unfinished = sa.union_all(
    sa.select(moves.c.id).where(~in_state(*ENDED)),
    sa.select(leftovers.c.move_id).where(leftovers.c.removed_at.is_(None)),
)

# What has switched rests until its grace ends, however long that is; if this server's clock was set
# back since, the grace begins anew by the new time.
_set_back = moves.c.switched_at > sa.func.clock_timestamp()
_left_alone = sa.case(
    (in_state("switched"), (moves.c.not_before > sa.func.clock_timestamp()) & ~_set_back),
    else_=_holds(moves.c.not_before),
).is_(sa.true())


def _has_room(end: str) -> sa.ColumnElement[bool]:
    """Whether the source, or the target, takes one more move."""
    under_way = sa.select(sa.func.count()).where(_busy.c[end] == moves.c[end]).scalar_subquery()
    most = rebalances.c.settings[f"moves_per_{end}"].as_integer()
    return under_way < sa.func.coalesce(most, sa.bindparam("per_shard", type_=sa.Integer))


# Which move is to be run next by whoever is free. Limits hold back those that have not begun: one
# that has begun holds its slot anyway, run or not. Tenants that may be closed come first, then what
# is farthest.
_FIND = read(
    sa.select(
        moves.c.id,
        sa.func.coalesce(rebalances.c.settings, sa.text("'{}'")).label("settings"),
        _asked.label("wish"),
    )
    .select_from(_with_rebalance)
    .where(
        moves.c.id.in_(_unfinished),
        moves.c.state == sa.func.any(sa.bindparam("states", type_=ARRAY(sa.Text))),
        ~_holds(moves.c.lease_until),
        ~_left_alone | ((_asked == "abort") & ~in_state("switched", "aborted")),
        sa.case(
            (in_state("fenced", "switched", "aborted"), True),
            (_asked == "abort", True),
            (_asked == "pause", False),
            (~in_state("planned"), True),
            else_=(_rebalance == "running") & _has_room("source") & _has_room("target"),
        ),
    )
    .order_by(
        sa.func.array_position(sa.cast(list(_ORDER), ARRAY(sa.Text)), moves.c.state),
        moves.c.position,
        moves.c.id,
    )
    .limit(1)
)
_MOVES_PER_SHARD = 2
_SERIALIZE = write(
    sa.select(sa.func.pg_advisory_xact_lock(7346, sa.func.hashtext("moves")).label("locked"))
)
_LEASE = sa.func.clock_timestamp() + _seconds(
    sa.func.least(sa.bindparam("seconds", type_=sa.Float), _LONGEST_SECONDS)
)
_CLAIM = write(
    sa.update(moves)
    .where(moves.c.id == sa.bindparam("id_", type_=sa.Uuid))
    .values(
        generation=moves.c.generation + 1,
        lease_owner=sa.bindparam("owner", type_=sa.Text),
        lease_until=_LEASE,
        updated_at=sa.func.now(),
    )
    .returning(moves)
)
_its_rebalance = sa.select(rebalances.c.state).where(rebalances.c.id == moves.c.rebalance_id)
_HEARTBEAT = write(
    sa.update(moves)
    .where(MINE)
    .values(lease_until=_LEASE)
    .returning(_wish(sa.func.coalesce(_its_rebalance.scalar_subquery(), "running")).label("wish"))
)
_RELEASE = write(
    sa.update(moves)
    .where(MINE)
    .values(lease_owner=None, lease_until=None, updated_at=sa.func.now())
    .returning(moves.c.id)
)
_FAIL = write(
    sa.update(moves)
    .where(MINE)
    .values(
        lease_owner=None,
        lease_until=None,
        not_before=_LEASE,
        attempts=moves.c.attempts + 1,
        fault=sa.bindparam("fault", type_=sa.Text),
        updated_at=sa.func.now(),
    )
    .returning(moves.c.id)
)


_sweep_after = sa.case(
    (_set_back, sa.func.clock_timestamp() + (moves.c.sweep_after - moves.c.switched_at)),
    else_=moves.c.sweep_after,
)
_REST = write(
    sa.update(moves)
    .where(MINE, in_state("switched"))
    .values(
        lease_owner=None,
        lease_until=None,
        switched_at=sa.case((_set_back, sa.func.clock_timestamp()), else_=moves.c.switched_at),
        sweep_after=_sweep_after,
        not_before=_sweep_after,
        updated_at=sa.func.now(),
    )
    .returning(moves.c.id)
)
_BEGIN_SWEEP = write(
    sa.update(moves)
    .where(MINE, in_state("switched"), moves.c.sweep_after <= sa.func.clock_timestamp())
    .values(
        facts=moves.c.facts.op("||")(sa.literal({"sweeping": True}, JSONB)),
        updated_at=sa.func.now(),
    )
    .returning(moves)
)


async def is_due(connection: ReadConnection, states: Sequence[str]) -> bool:
    """Whether a move in one of these states waits for somebody to run it; locks nothing."""
    found = await connection.one(_FIND, states=list(states), per_shard=_MOVES_PER_SHARD)
    return found is not None


async def claim(
    connection: WriteConnection, owner: str, seconds: float, states: Sequence[str]
) -> Claimed | None:
    """Begin a run of the move that waits most, if any waits in one of these states.

    Claims come one after the other, so that two of them cannot both find the last free place of a
    shard.
    """
    await connection.send(_SERIALIZE)
    found = await connection.one(_FIND, states=list(states), per_shard=_MOVES_PER_SHARD)
    if found is None:
        return None
    row = await connection.returning(_CLAIM, id_=found["id"], owner=owner, seconds=seconds)
    return None if row is None else Claimed(Move(**row), found["settings"], found["wish"])


async def heartbeat(directory: Cluster, move: Move, seconds: float) -> str:
    """Prolong the lease; answers what is wished: run, pause or abort.

    It is one message. A runner that is stopped between two of them would keep the move's row
    locked for as long as it stands still, and nobody could take the move over.

    Raises:
        RunEnded, ClusterError.
    """
    values = {"id_": move.id, "generation_": move.generation, "seconds": seconds}
    done = await directory.write_at_once(Work(_HEARTBEAT, values))
    [found] = done.rows
    if not found:
        raise RunEnded(str(move.id))
    return str(found[0]["wish"])


async def release(connection: WriteConnection, move: Move) -> None:
    """End the run in order: anybody may go on at once."""
    await connection.returning(_RELEASE, id_=move.id, generation_=move.generation)


async def fail(connection: WriteConnection, move: Move, failure: Failure) -> None:
    """End the run with a fault; the move is tried again later."""
    await connection.returning(
        _FAIL,
        id_=move.id,
        generation_=move.generation,
        fault=failure.fault,
        seconds=failure.seconds,
    )


async def rest(connection: WriteConnection, move: Move) -> None:
    """End the run of a move that has switched, until its grace ends."""
    await connection.returning(_REST, id_=move.id, generation_=move.generation)


async def begin_sweep(connection: WriteConnection, move: Move) -> Move | None:
    """Close the way back for good, when the grace has ended; None before that."""
    row = await connection.returning(_BEGIN_SWEEP, id_=move.id, generation_=move.generation)
    return None if row is None else Move(**row)

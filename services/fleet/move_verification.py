"""A move's rows compared once more, on both shards, whenever both have them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from global_db import moves
from global_db.cluster import Cluster
from global_db.errors import ClusterError
from global_db.moves import Move
from services.errors import Busy, Conflict, NotFound, ShardUnavailable
from services.failures import global_failures
from services.resources import Data
from shards.copying import digests
from shards.copying.batch import Batch, Mover
from shards.copying.digests import Verified
from shards.copying.errors import Diverged, Superseded, Unready

__all__ = ["Verified"]

_FOLLOWING = ("catching_up", "verifying")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found; `difference` is None when all rows are the same."""

    move: Move
    verified: Verified | None
    difference: str | None


@dataclass(frozen=True, slots=True)
class _Sides:
    """Who is written to, who follows it, and through which stream."""

    leader: str
    follower: str
    mover: Mover


async def verify(mover: Data, move_id: UUID) -> Comparison:
    """Compare every row of the batch between the shard that is written to and the one that follows.

    Works while a move catches up or verifies, and within the grace after the switch, where the
    source follows. It takes nobody's turn: each of its statements is valid for the move's present
    run alone. `mover`: the databases as the mover sees them.

    Raises:
        NotFound; Conflict: only one shard has the rows at present. Busy: the move went on
        meanwhile. ShardUnavailable, DirectoryUnavailable.
    """
    with global_failures():
        await mover.registry.refresh()
        async with mover.global_db.read() as connection:
            move = await moves.get(connection, move_id)
            clients = await moves.clients_of(connection, move_id)
    if move is None:
        raise NotFound(f"There is no move {move_id}.")
    batch = Batch.of({one.client_id: one.epoch for one in clients if not one.ended})
    return await _compare(mover, move, sides(move), batch)


def sides(move: Move) -> _Sides:
    """Who leads and who follows at present. Pure.

    Raises:
        Conflict.
    """
    if move.state in _FOLLOWING:
        runner = Mover(move.id, move.generation, move.reverses)
        return _Sides(move.source, move.target, runner)
    if move.state == "switched" and move.facts.get("way_back") and not move.facts.get("sweeping"):
        # The way back's stream is the move's own, from the target.
        return _Sides(move.target, move.source, Mover(move.id, move.generation, move.id))
    raise Conflict(
        f"The move is {move.state}: rows are compared while it catches up or verifies, and within "
        "the grace after its switch, once the way back is open."
    )


async def _compare(data: Data, move: Move, at: _Sides, batch: Batch) -> Comparison:
    clusters: tuple[Cluster, Cluster] = (
        data.registry.cluster(at.leader),
        data.registry.cluster(at.follower),
    )
    try:
        found = await digests.verify(*clusters, at.mover, batch, _no_gate)
    except Diverged as error:
        return Comparison(move, None, str(error))
    except (Superseded, Unready) as error:
        raise Busy(f"The move went on meanwhile: {error}") from error
    except ClusterError as error:
        raise ShardUnavailable(str(error)) from error
    return Comparison(move, found, None)


async def _no_gate(rows: int, size: int) -> None:
    """Comparing gives way to nobody: it is asked for by hand."""

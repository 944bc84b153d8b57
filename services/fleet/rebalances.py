"""Use cases of operators on rebalances: a plan becomes moves, which workers then run.

Nothing here touches a shard. What an operator wishes is written into the global database, and
whoever runs the moves hears it there within a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import UUID

from global_db import candidates, rebalances
from global_db.candidates import Candidate
from global_db.connection import WriteConnection
from global_db.moves import AlreadyMoving, ClientsElsewhere, NewMove
from global_db.rebalances import LIVING, AnotherLives, NewRebalance, Rebalance
from services.audit import Event, record_global
from services.errors import Busy, Conflict, NotFound
from services.failures import global_failures
from services.fleet.planner.duration import AtOnce
from services.fleet.planner.plan import Batch, Plan
from services.identity.principal import Caller, Origin, ordered_by
from services.ids import new_id
from services.resources import Data

__all__ = ["LIVING", "Rebalance"]

AT_ONCE: Final = 500
"""Batches that are ordered in one transaction: at most 25,000 clients."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """How gently moves run: so many at a time out of a shard and into one, copying so many bytes a
    second; and how long the way back is kept after a switch. None: as the workers have it."""

    moves_per_source: int = 2
    moves_per_target: int = 2
    bytes_per_second: int | None = None
    grace_seconds: float | None = None

    def record(self) -> dict[str, Any]:
        """As it is stored; what was not said is absent."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def stored(cls, settings: Mapping[str, Any]) -> RunLimits:
        """From what is stored."""
        return cls(**{name: settings[name] for name in cls.__slots__ if name in settings})

    @property
    def at_once(self) -> AtOnce:
        """In the planner's words."""
        return AtOnce(self.moves_per_source, self.moves_per_target)


@dataclass(frozen=True, slots=True)
class Started:
    """What came of a plan: `left_out` counts clients that are not as it knew them, by reason."""

    rebalance: Rebalance
    moves: int
    clients: int
    left_out: Mapping[str, int]


async def start(
    data: Data, plan: Plan, limits: RunLimits, reason: str | None, at_once: int = AT_ONCE
) -> Started:
    """Order the plan's moves, and let them run when all are there.

    A transaction writes the moves of `at_once` batches: a plan of a million clients is more than
    one could take within its deadline. Until the last of them the rebalance is `planned`, and
    nobody begins a move of such a one. Should a client be taken away meanwhile, it is stopped
    again; if its starter is killed it stays `planned`, and `stop` removes it. Either way workers
    abort its moves, of which none has begun.

    Clients that are pinned, moved or moving by now are left out; that others change between our
    look and our commit is harmless: a move's commit point demands the epoch that is written here
    (I6), and no client can be in two living moves.

    Raises:
        Conflict: another rebalance lives, this one was stopped meanwhile, or nothing is left to
        move. Busy: a client was taken into another move at this moment. DirectoryUnavailable.
    """
    order = _Order(plan, limits, reason)
    with global_failures(), _refusals():
        try:
            for at in range(0, len(plan.batches), at_once):
                async with data.global_db.write() as connection:
                    await order.add(connection, plan.batches[at : at + at_once])
            async with data.global_db.write() as connection:
                running = await order.let_run(connection)
        except (AlreadyMoving, ClientsElsewhere):
            async with data.global_db.write() as connection:
                await order.withdraw(connection)
            raise
    return Started(running, order.moves, order.clients, dict(order.left_out))


@dataclass(slots=True)
class _Order:
    """A rebalance while its moves are written; `made` is None while none is."""

    plan: Plan
    limits: RunLimits
    reason: str | None
    made: Rebalance | None = None
    moves: int = 0
    clients: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    async def add(self, connection: WriteConnection, some: Sequence[Batch]) -> None:
        """Order the moves of these batches, all or none. The first transaction that has any makes
        the rebalance: from then on no other can begin."""
        ids = [client_id for batch in some for client_id in batch.clients]
        fit, left_out = still_fit(some, await candidates.seen(connection, ids))
        new = [_move(self.moves + number, *one) for number, one in enumerate(fit)]
        if new:
            made = self.made or await self._announce(connection)
            if not await rebalances.lock_planned(connection, made.id):
                raise Conflict("The rebalance was stopped before it had begun.")
            await rebalances.add_moves(connection, made, new)
            self.made = made
        self.moves += len(new)
        self.clients += sum(len(one.clients) for one in new)
        self.left_out.update(left_out)

    async def let_run(self, connection: WriteConnection) -> Rebalance:
        """All moves are there."""
        if self.made is None:
            raise Conflict("There is nothing to move.")
        running = await rebalances.change(connection, self.made.id, "running", ("planned",))
        if running is None:
            raise Conflict("The rebalance was stopped before it had begun.")
        image = {"goal": running.goal, "moves": self.moves, **self.limits.record()}
        await _record(
            connection, running.id, _Told("start", None, image), Origin(reason=self.reason)
        )
        return running

    async def withdraw(self, connection: WriteConnection) -> None:
        """It will not be carried out; who stopped it before has done the same."""
        if self.made is None:
            return
        if await rebalances.change(connection, self.made.id, "stopped", ("planned",)):
            await rebalances.abort_moves(connection, self.made.id)
            told = _Told("stop", {"state": "planned"}, {"state": "stopped"})
            await _record(connection, self.made.id, told, Origin(reason=self.reason))

    async def _announce(self, connection: WriteConnection) -> Rebalance:
        made = await rebalances.insert(connection, _new(self.plan, self.limits, self.reason))
        image = {"goal": made.goal, "clients": self.plan.clients, **self.limits.record()}
        await _record(connection, made.id, _Told("plan", None, image), Origin(reason=self.reason))
        return made


def still_fit(
    batches: Sequence[Batch], seen: Mapping[UUID, Candidate]
) -> tuple[list[tuple[Batch, dict[UUID, int]]], dict[str, int]]:
    """The batches with the epochs of those clients that may move now, and why others may not."""
    fit, left_out = [], Counter[str]()
    for batch in batches:
        epochs = {}
        for client_id in batch.clients:
            found = seen.get(client_id)
            obstacle = "gone" if found is None else _obstacle(found, batch.source)
            if found is None or obstacle is not None:
                left_out[obstacle or "gone"] += 1
            else:
                epochs[client_id] = found.epoch
        if epochs:
            fit.append((batch, epochs))
    return fit, dict(left_out)


def _obstacle(found: Candidate, source: str) -> str | None:
    if found.moving:
        return "moving"
    if found.erasing:
        return "erasing"
    if found.pinned:
        return "pinned"
    return None if found.shard == source else "moved"


async def pause(data: Data, reason: str | None, caller: Caller | None = None) -> Rebalance:
    """Begin nothing more, and let moves that are not fenced yet rest where they are; what is
    switched is swept all the same.

    Raises:
        NotFound: no rebalance lives. Conflict: it is paused already, or still being ordered.
        DirectoryUnavailable.
    """
    return await _change(data, _Change("pause", "paused", ("running",)), reason, caller)


async def resume(data: Data, reason: str | None, caller: Caller | None = None) -> Rebalance:
    """Go on after a pause.

    Raises:
        NotFound, Conflict: it is not paused. DirectoryUnavailable.
    """
    return await _change(data, _Change("resume", "running", ("paused",)), reason, caller)


async def stop(data: Data, reason: str | None, caller: Caller | None = None) -> Rebalance:
    """End it for good: moves that are not fenced yet are aborted, their clients stay where they
    are; what is switched stays switched and is swept after its grace.

    Raises:
        NotFound, DirectoryUnavailable.
    """
    return await _change(data, _Change("stop", "stopped", LIVING), reason, caller)


@dataclass(frozen=True, slots=True)
class _Change:
    """`verb` brings a rebalance from one of `among` to `state`."""

    verb: str
    state: str
    among: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Told:
    """What the audit log is told."""

    verb: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]


async def _change(
    data: Data, change: _Change, reason: str | None, caller: Caller | None
) -> Rebalance:
    with global_failures():
        async with data.global_db.write() as connection:
            before = await rebalances.living(connection)
            if before is None:
                raise NotFound("No rebalance is under way.")
            after = await rebalances.change(connection, before.id, change.state, change.among)
            if after is None:
                raise Conflict(f"The rebalance is {before.state}.")
            if not after.living:
                await rebalances.abort_moves(connection, before.id)
            told = _Told(change.verb, {"state": before.state}, {"state": after.state})
            await _record(connection, before.id, told, ordered_by(caller, reason))
    return after


def _new(plan: Plan, limits: RunLimits, reason: str | None) -> NewRebalance:
    foreseen = {
        "clients": plan.clients,
        "rows": plan.rows,
        "bytes": plan.bytes,
        "seconds": asdict(plan.seconds),
        "pause_ms": asdict(plan.pause_ms),
        "imbalance": {"before": asdict(plan.before), "after": asdict(plan.after)},
    }
    return NewRebalance(new_id(), plan.goal.value, reason or "", foreseen, limits.record())


def _move(position: int, batch: Batch, epochs: Mapping[UUID, int]) -> NewMove:
    return NewMove(
        id=new_id(),
        source=batch.source,
        target=batch.target,
        clients=epochs,
        position=position,
        predicted=batch.record(),
    )


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except AnotherLives as error:
        raise Conflict(
            "A rebalance is under way already: see `docshard rebalance status`."
        ) from error
    except (AlreadyMoving, ClientsElsewhere) as error:
        raise Busy("A client of the plan was moved at this very moment.") from error


async def _record(
    connection: WriteConnection, rebalance_id: UUID, told: _Told, by: Caller | Origin
) -> None:
    event = Event(f"rebalance.{told.verb}", "rebalance", rebalance_id, told.before, told.after)
    await record_global(connection, by, event)

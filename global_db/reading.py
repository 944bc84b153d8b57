"""What a read asks of the server that answers it, and who answered. Pure, but for the noting."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Literal

from global_db.position import Position
from global_db.values import value


@value
class Reading:
    """`max_staleness` is how many seconds a replica may be behind; None: the primary answers.

    With `after` the answer shows that commit, whoever gives it. While there is no primary a replica
    answers whatever is asked without `after`, as far as it knows.
    """

    max_staleness: float | None = None
    after: Position | None = None


FROM_PRIMARY = Reading()


@value
class Served:
    """Who answered a read. Everything acknowledged `lag_seconds` ago or earlier was in the answer;
    None when that is not known."""

    by: Literal["primary", "replica"]
    lag_seconds: float | None = 0.0


_answers: ContextVar[list[Served] | None] = ContextVar("answers", default=None)


def collect_served(into: list[Served]) -> None:
    """Let what this task reads from now on be noted in `into`."""
    _answers.set(into)


def note_served(served: Served) -> None:
    """Note who answered a read, if somebody collects it."""
    answers = _answers.get()
    if answers is not None:
        answers.append(served)


def stalest(answers: list[Served]) -> Served:
    """One word for several reads: the replica that is farthest behind, if any replica answered."""
    replicas = [one for one in answers if one.by == "replica"]
    if not replicas:
        return Served("primary")
    lags = [one.lag_seconds for one in replicas]
    known = [lag for lag in lags if lag is not None]
    return Served("replica", max(known) if len(known) == len(lags) else None)

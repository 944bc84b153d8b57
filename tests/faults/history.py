"""Histories of appends and looks, and what no correct service can have done. Pure.

Each key is a list that only grows: looking is seeing the list as it is. So whatever was seen must
be a beginning of the list in the end, and what a token promises can be told from the times alone:
the places of commits in a server's log follow their order in time, so a look with the token of a
write must show that write, and every write to its key that was acknowledged before that one began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto


class Outcome(Enum):
    """What the caller was told."""

    DONE = auto()
    REFUSED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Append:
    """`operation` was to be added to the list of `key`; times are seconds of one clock."""

    key: str
    operation: str
    begun: float
    ended: float
    outcome: Outcome


@dataclass(frozen=True)
class Look:
    """What was seen of a key, by whom it was answered, and the write whose token came with it."""

    key: str
    seen: tuple[str, ...]
    begun: float
    ended: float
    served_by: str
    token: Append | None = None


@dataclass
class History:
    """Everything that callers did."""

    appends: list[Append] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    def served_by(self, who: str) -> int:
        """How many looks with a token were answered by primaries or replicas."""
        return sum(look.served_by == who for look in self.looks if look.token is not None)

    def done(self) -> int:
        """How many appends were acknowledged."""
        return sum(one.outcome is Outcome.DONE for one in self.appends)


def faults(history: History, final: Mapping[str, tuple[str, ...]]) -> list[str]:
    """What is wrong with a history whose lists are `final` in the end; none when all is well."""
    return [*_in_the_end(history, final), *_on_the_way(history, final)]


def _in_the_end(history: History, final: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    there = {key: Counter(operations) for key, operations in final.items()}
    for one in history.appends:
        times = there[one.key][one.operation]
        if one.outcome is Outcome.DONE and times == 0:
            yield f"lost: {one.operation} was acknowledged and is not there"
        if one.outcome is Outcome.REFUSED and times > 0:
            yield f"refused: {one.operation} was refused and is there"
        if times > 1:
            yield f"doubled: {one.operation} is there {times} times"


def _on_the_way(history: History, final: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    done: dict[str, list[Append]] = {}
    for one in history.appends:
        if one.outcome is Outcome.DONE:
            done.setdefault(one.key, []).append(one)
    for look in history.looks:
        if look.seen != final[look.key][: len(look.seen)]:
            yield f"diverged: a look at {look.key} shows what never was, by the {look.served_by}"
        if look.token is not None:
            missing = _promised(look, done.get(look.key, [])) - set(look.seen)
            for operation in sorted(missing):
                yield f"stale: a look with a token lacks {operation}, by the {look.served_by}"


def _promised(look: Look, done: list[Append]) -> set[str]:
    token = look.token
    if token is None:
        return set()
    return {one.operation for one in done if one is token or one.ended <= token.begun}

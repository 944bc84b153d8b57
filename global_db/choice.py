"""Which replica answers a read. Pure: what is known of replicas comes in, an order comes out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

# A replica that shows what is newer than this is worth a short wait for a write it lacks.
_CLOSE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trusted replica: `number` among the nodes, how far it is, and how busy.

    `lsn` is what it had replayed when last asked, `age` the seconds since everything acknowledged
    before is in it. `outstanding` reads of ours run on it, of `places` it can run at once.
    """

    number: int
    lsn: int
    age: float
    outstanding: int
    places: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a read needs: at most `age` seconds old, and with `lsn` in it, None for any."""

    age: float
    lsn: int | None = None


def order(
    candidates: Sequence[Candidate], wanted: Wanted, chance: random.Random
) -> list[Candidate]:
    """Replicas to try, best first; none when the primary should answer.

    The better of two by chance: the least busy of all would be everybody's choice at once, between
    two polls.
    """
    fit = [one for one in candidates if _fits(one, wanted)]
    if len(fit) < 2:
        return fit
    one, other = chance.sample(fit, 2)
    return [one, other] if one.outstanding <= other.outstanding else [other, one]


def _fits(candidate: Candidate, wanted: Wanted) -> bool:
    if candidate.age > wanted.age or candidate.outstanding >= candidate.places:
        return False
    has_it = wanted.lsn is None or candidate.lsn >= wanted.lsn
    return has_it or candidate.age <= _CLOSE_SECONDS

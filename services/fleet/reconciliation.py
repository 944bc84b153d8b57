"""Does what was restored agree with the directory? Pure.

The directory is the one truth of placement. A tenant is served from a restored shard only where the
directory has it, at the very epoch that the shard's residency says; whatever else is open there is
closed, and every such tenant is told with what to do.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from global_db.placements import Placed
from shards.census import Resident

__all__ = ["Placed", "Resident", "Verdict", "reconcile"]

Residents = Mapping[str, Mapping[UUID, Resident]]
"""What each restored shard says of tenants."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One tenant on one restored shard: served there, or refused; `why`, and what to do.

    `directory` is its shard and epoch there, `found` its epoch and state here. `closes`: it is open
    here and must not be. `erased`: nothing of it may be here at all. `waits`: it is served from
    nowhere else, so that an operator has to say what becomes of it.
    """

    client_id: UUID
    code: str | None
    shard: str
    served: bool
    why: str
    advice: str
    directory: str | None
    found: str | None
    closes: Resident | None = None
    erased: bool = False
    waits: bool = False


def reconcile(
    placed: Sequence[Placed], restored: Residents, erased: Container[UUID] = frozenset()
) -> Iterator[Verdict]:
    """Judge every tenant whom the directory has on a restored shard, or whom such a shard knows.

    `erased` are tenants who were erased, or are being so, whatever the directory says.
    """
    known = {one.client_id: one for one in placed}
    ids = set(known)
    for residents in restored.values():
        ids |= residents.keys()
    for client_id in sorted(ids):
        for shard, residents in restored.items():
            seen = _Seen(client_id, shard, known.get(client_id), residents.get(client_id))
            if client_id in erased or (seen.place is not None and seen.place.erasing):
                yield from _judge_erased(seen)
            else:
                yield from _judge(seen)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the directory and one restored shard say of a tenant."""

    client_id: UUID
    shard: str
    place: Placed | None
    found: Resident | None

    def served(self) -> Verdict:
        """It matches."""
        return self._verdict("", "", served=True)

    def refused(self, why: str, advice: str) -> Verdict:
        """It does not."""
        return self._verdict(why, advice, served=False)

    def erased(self) -> Verdict:
        """It was erased, and a backup had it still."""
        advice = "what the backup had of it is removed again from what was restored"
        return replace(self._verdict("it was erased", advice, served=False), erased=True)

    def _verdict(self, why: str, advice: str, *, served: bool) -> Verdict:
        place, found = self.place, self.found
        is_open = found is not None and found.state == "open"
        return Verdict(
            client_id=self.client_id,
            code=None if place is None else place.code,
            shard=self.shard,
            served=served,
            why=why,
            advice=advice,
            directory=None if place is None else f"{place.shard}@{place.epoch}",
            found=None if found is None else f"{found.state}@{found.epoch}",
            closes=found if is_open and not served else None,
            waits=not served and place is not None and place.shard == self.shard,
        )


def _judge_erased(seen: _Seen) -> Iterator[Verdict]:
    # One that is `gone` may have rows all the same: an older backup was closed before they went.
    if seen.found is not None:
        yield replace(seen.erased(), waits=False)


def _judge(seen: _Seen) -> Iterator[Verdict]:
    place, found = seen.place, seen.found
    if place is not None and place.shard == seen.shard:
        yield _at_home(seen, place, found)
    elif found is None or found.state == "gone":
        return
    elif place is None:
        yield seen.refused(
            "the directory does not know it",
            "it was made later than the directory that was looked at, or never completely",
        )
    else:
        yield seen.refused(
            f"the directory has it on {place.shard}",
            f"it is served there; here are rows of epoch {found.epoch}, for you to look at",
        )


def _at_home(seen: _Seen, place: Placed, found: Resident | None) -> Verdict:
    if found is None:
        return seen.refused(
            "it came here later than what was restored",
            "its rows of that time are on the shard where it lived then, its present ones in the"
            " shard that lives",
        )
    if found.epoch == place.epoch and found.state == "open":
        return seen.served()
    if found.epoch == place.epoch and found.state == "fenced":
        return seen.refused(
            "it was at the switch of a move", "abort that move: it opens here again"
        )
    if found.state == "open":
        return seen.refused(
            "it has left and come back since",
            "take from here what you need of that time; its present rows are in the shard that"
            " lives",
        )
    return seen.refused(
        f"a move had it {found.state} here",
        "it was on another shard at that time: restore that one to see its rows of then",
    )

"""Whether the directory and the shards agree about every tenant (I6): pure rules over facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from global_db.leftovers import Thing
from global_db.placements import Placed
from shards.census import MoveObject, Resident

GRACE_SECONDS: Final = 60.0
"""What is younger may be a creation or a move whose other half was not read yet; and what a swept
move leaves is removed by its runner."""

_BY_HAND = "nothing mends this by itself: compare both, and restore the one that is wrong"
_PAST = "the directory was restored to the past: bring its row to the shard's epoch by hand"
_MEND = "`docshard doctor --mend`"


@dataclass(frozen=True, slots=True)
class Tenant:
    """What is known of one client: the directory's word, and each shard's.

    `holders` are the shards with rows of it, `unseen` those that could not be asked. `grace`: how
    many seconds a residency is too young to be judged.
    """

    client_id: UUID
    placed: Placed | None
    residents: Mapping[str, Resident] = field(default_factory=dict)
    holders: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()
    grace: float = GRACE_SECONDS

    def is_young(self, resident: Resident) -> bool:
        """Whether it may be half of something whose other half was not read yet."""
        return resident.age_seconds <= self.grace


@dataclass(frozen=True, slots=True)
class MarkGone:
    """End a residency that nobody needs."""

    resident: Resident

    @property
    def words(self) -> str:
        """What it does."""
        return f"mark client {self.resident.client_id} gone"


@dataclass(frozen=True, slots=True)
class RemoveRows:
    """Remove a client's rows; a half-made residency is marked gone behind them."""

    client_id: UUID
    resident: Resident | None

    @property
    def words(self) -> str:
        """What it does."""
        return f"remove the rows of client {self.client_id}"


@dataclass(frozen=True, slots=True)
class Drop:
    """Drop what a dead move left."""

    found: MoveObject

    @property
    def words(self) -> str:
        """What it does."""
        return f"drop the {self.found.kind} {self.found.name}"


Mend = MarkGone | RemoveRows | Drop


@dataclass(frozen=True, slots=True)
class Misplaced:
    """Something on a shard that should not be so. `mend` None: it takes a person to decide."""

    shard: str
    what: str
    advice: str
    mend: Mend | None = None
    client: UUID | None = None

    @property
    def removes(self) -> Thing | None:
        """What a move may have recorded that its mending removes."""
        if isinstance(self.mend, Drop):
            return Thing(self.shard, self.mend.found.kind, self.mend.found.name)
        if isinstance(self.mend, RemoveRows):
            return Thing(self.shard, "tenant", str(self.mend.client_id))
        return None


def judge_tenant(tenant: Tenant) -> Iterator[Misplaced]:
    """What is wrong with a client on whom no move is at work."""
    return (replace(one, client=tenant.client_id) for one in _judged(tenant))


def _judged(tenant: Tenant) -> Iterator[Misplaced]:
    if tenant.placed is None:
        yield from _judge_unknown(tenant)
    elif tenant.placed.erasing:
        yield _unfinished_erasure(tenant.placed)
    elif ahead := _ahead(tenant, tenant.placed):
        shard, epoch = ahead
        what = f"knows {_named(tenant.placed)} at epoch {epoch}, the directory at "
        yield Misplaced(shard, f"{what}{tenant.placed.epoch}", _PAST)
    else:
        yield from _judge_home(tenant, tenant.placed)
        yield from _judge_elsewhere(tenant, tenant.placed)


def judge_objects(
    shard: str, objects: list[MoveObject], busy_moves: set[UUID]
) -> Iterator[Misplaced]:
    """What moves have left on a shard that are at work no more."""
    for found in objects:
        if found.move_id not in busy_moves:
            what = f"has the {found.kind} {found.name} of a move that is over"
            if found.busy:
                yield Misplaced(
                    shard, f"{what}, and somebody reads it", "end its reader, then mend"
                )
            else:
                yield Misplaced(shard, what, _MEND, Drop(found))


def _unfinished_erasure(placed: Placed) -> Misplaced:
    what = f"has {_named(placed)}, whose erasure was begun and has not ended"
    return Misplaced(placed.shard, what, f"`docshard client erase {placed.client_id}` goes on")


def _judge_unknown(tenant: Tenant) -> Iterator[Misplaced]:
    """A creation that failed leaves a residency without rows (decision 5). With rows it is
    somebody's data, and the directory has lost its owner."""
    for shard, resident in tenant.residents.items():
        lives = resident.state != "gone" and not tenant.is_young(resident)
        if lives and shard not in tenant.holders:
            what = f"admitted {tenant.client_id}, whom the directory does not know"
            yield Misplaced(shard, what, _MEND, MarkGone(resident))
    for shard in sorted(tenant.holders - tenant.unseen):
        found = tenant.residents.get(shard)
        if found is None or not tenant.is_young(found):
            what = f"has rows of {tenant.client_id}, whom the directory does not know"
            yield Misplaced(shard, what, _BY_HAND)


def _ahead(tenant: Tenant, placed: Placed) -> tuple[str, int] | None:
    """The shard that has seen a later epoch than the directory knows; `importing` is a promise."""
    seen = [
        (resident.epoch, shard)
        for shard, resident in tenant.residents.items()
        if resident.state != "importing" and resident.epoch > placed.epoch
    ]
    return (max(seen)[1], max(seen)[0]) if seen else None


def _judge_home(tenant: Tenant, placed: Placed) -> Iterator[Misplaced]:
    """At home it is open at the directory's epoch."""
    if placed.shard in tenant.unseen or _is_home(tenant, placed):
        return
    resident = tenant.residents.get(placed.shard)
    if resident is None:
        what = f"does not know {_named(placed)}, whom the directory places there"
    elif resident.epoch < placed.epoch:
        what = f"has {_named(placed)} at epoch {resident.epoch}, the directory at {placed.epoch}"
    elif tenant.is_young(resident):
        return
    else:
        what = f"has {_named(placed)} as {resident.state}, for no move that is at work"
    yield Misplaced(placed.shard, what, _BY_HAND)


def _judge_elsewhere(tenant: Tenant, placed: Placed) -> Iterator[Misplaced]:
    """Nowhere else is it open, and nothing of it is kept. Mended only while home is in order."""
    safe = _is_home(tenant, placed)
    for shard in sorted((tenant.residents.keys() | tenant.holders) - {placed.shard}):
        resident = tenant.residents.get(shard)
        if resident is not None and tenant.is_young(resident):
            continue
        for what, mend in _strays(tenant, shard, resident):
            told = f"{what} {_named(placed)}, who lives on {placed.shard}"
            yield Misplaced(shard, told, _MEND if safe else _BY_HAND, mend if safe else None)


def _strays(tenant: Tenant, shard: str, resident: Resident | None) -> Iterator[tuple[str, Mend]]:
    if resident is not None and resident.state in ("open", "fenced"):
        yield "also serves", MarkGone(resident)
    elif resident is not None and resident.state == "importing":
        yield "has half a copy of", RemoveRows(tenant.client_id, resident)
    elif shard in tenant.holders:
        yield "keeps rows of", RemoveRows(tenant.client_id, resident)


def _is_home(tenant: Tenant, placed: Placed) -> bool:
    there = tenant.residents.get(placed.shard)
    return there is not None and (there.state, there.epoch) == ("open", placed.epoch)


def _named(placed: Placed) -> str:
    return f"client {placed.code} ({placed.client_id})"

"""What of a fleet is to be proven: which rules, of which tenants. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from global_db.placements import Placed
from services.fleet.invariants.findings import ALL_RULES, Rule

FRESH_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Sample:
    """So many tenants, or this share of them (0 to 1), drawn anew each time."""

    count: int | None = None
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Scope:
    """All tenants, unless narrowed to a client, to a shard or to a sample.

    `staleness`: how many seconds a replica may be behind that is asked for a tenant's documents;
    None asks primaries. `reads_blobs`: each blob is read, and its SHA-256 computed. `settled`: no
    move or creation was at work a moment ago, so nothing young is excused.
    """

    client: UUID | None = None
    shard: str | None = None
    sample: Sample = Sample()
    rules: frozenset[Rule] = ALL_RULES
    reads_blobs: bool = False
    staleness: float | None = FRESH_SECONDS
    settled: bool = False

    def takes(self, placed: Placed) -> bool:
        """Whether a tenant is of it, before any sampling."""
        return self.client in (None, placed.client_id) and self.shard in (None, placed.shard)


@dataclass(slots=True)
class Drawing:
    """A sample as tenants come by. A count is drawn evenly from however many there are, holding no
    more than it (reservoir sampling, Vitter's algorithm R)."""

    sample: Sample
    chance: random.Random
    kept: list[Placed] = field(default_factory=list)
    seen: int = 0

    def offer(self, placed: Placed) -> None:
        """Keep it, or not."""
        if self.chance.random() >= self.sample.share:
            return
        self.seen += 1
        if self.sample.count is None or len(self.kept) < self.sample.count:
            self.kept.append(placed)
        elif (place := self.chance.randrange(self.seen)) < self.sample.count:
            self.kept[place] = placed

    def taken(self) -> list[Placed]:
        """Those that are kept, once."""
        taken, self.kept = self.kept, []
        return taken

"""What a drill aims at and is measured by. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from global_db.canaries import Canary
from global_db.soundness import Sung
from services.fleet.finding import Finding

RPO_SECONDS: Final = 300.0
RTO_SECONDS: Final = 3600.0
_MARGIN_BYTES: Final = 1024**2
"""A canary's commit is behind its row by less than that."""


def restorable(written: Sequence[Canary], archived: int) -> list[Canary]:
    """The rows that WAL up to `archived`, in bytes, brings back."""
    return [one for one in written if one.lsn + _MARGIN_BYTES <= archived]


def random_second(there: Sequence[Canary], chance: random.Random) -> datetime:
    """A moment behind the first of these rows, and before the last: recovery to a time ends at a
    commit behind it."""
    first, last = (one.written_at.timestamp() for one in (there[0], there[-1]))
    return datetime.fromtimestamp(chance.uniform(first, last), UTC)


def judge_canaries(written: Sequence[Canary], at: datetime, found: Sung) -> Iterator[str]:
    """Whether exactly the rows before the second came back."""
    before = [one.written_at for one in written if one.written_at < at]
    expected = Sung(before[-1] if before else None, len(before))
    if found != expected:
        yield (
            f"{found.canaries} rows up to {found.newest} came back, "
            f"and {expected.canaries} up to {expected.newest} were written before {at}"
        )


def judge_goals(rpo_seconds: float, rto_seconds: float) -> Iterator[str]:
    """Whether the goals are met."""
    if rpo_seconds > RPO_SECONDS:
        yield f"the newest row that can be restored is {rpo_seconds:.0f} s old: {RPO_SECONDS:.0f}"
    if rto_seconds > RTO_SECONDS:
        yield f"the restore took {rto_seconds:.0f} s: {RTO_SECONDS:.0f}"


def judge_drills(
    good: Mapping[str, datetime], since: Mapping[str, datetime | None], now: datetime, days: int
) -> Iterator[Finding]:
    """Which clusters had no good drill for so many days; `since` when each has a backup."""
    for cluster, first in since.items():
        last = good.get(cluster)
        reference = last or first
        if reference is not None and now - reference > timedelta(days=days):
            what = (
                f"had its last good drill at {last:%Y-%m-%d}" if last else "had no good drill yet"
            )
            advice = f"`docshard backup drill --shard {cluster}`"
            yield Finding(cluster, f"{what}: nobody knows whether it can be restored", advice)


def longest_waiting(clusters: Sequence[str], good: Mapping[str, datetime]) -> str:
    """The cluster whose last good drill is the oldest; one that had none comes first."""
    never = datetime.min.replace(tzinfo=UTC)
    return min(clusters, key=lambda name: good.get(name, never))

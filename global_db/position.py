"""Places in a cluster's WAL, and what becomes of them when a replica is promoted. Pure.

A promotion begins a new timeline at a fork: what the old one held behind the fork is lost. So a
place is a timeline and an LSN, and it lives on in a later timeline when that one forked behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


@dataclass(frozen=True, slots=True)
class Position:
    """Behind a commit: `timeline`, and `lsn` in bytes from the WAL's start.

    `lsn` may lie behind other sessions' records, too. `written` is a place behind the last change
    of the transaction and before its COMMIT; `xid` its number, None when it changed nothing.
    """

    timeline: int
    lsn: int
    written: int
    xid: int | None = None

    @classmethod
    def told(cls, before: Mapping[str, Any], after: Mapping[str, Any]) -> Position:
        """From what the server says before COMMIT and behind it: LSNs, a transaction's number and
        a WAL file's name, as PostgreSQL writes them."""
        xid = before["xid"]
        return cls(
            timeline=int(after["file"][:8], 16),
            lsn=lsn_bytes(after["lsn"]),
            written=lsn_bytes(before["written"]),
            xid=None if xid is None else int(xid),
        )


def lsn_bytes(lsn: str) -> int:
    """Where an LSN is, in bytes from the WAL's start."""
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)


class Fate(Enum):
    """What became of a position on a later timeline."""

    KEPT = auto()
    LOST = auto()
    ASK = auto()
    """The changes were kept and the commit record lies near the fork: the server knows its xid."""
    AHEAD = auto()
    """The server's timeline is older than the position's: it knows nothing of it."""


def fate(position: Position, timeline: int, ancestors: Mapping[int, int]) -> Fate:
    """What became of a position, seen from `timeline`, whose ancestors ended at these places.

    A timeline that is no ancestor was given up as a whole.
    """
    if position.timeline == timeline:
        return Fate.KEPT
    if position.timeline > timeline:
        return Fate.AHEAD
    ended_at = ancestors.get(position.timeline, -1)
    if position.lsn <= ended_at:
        return Fate.KEPT
    if position.written > ended_at:
        return Fate.LOST
    return Fate.KEPT if position.xid is None else Fate.ASK

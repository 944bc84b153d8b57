"""Verifying a chain against its rows and its signed heads, a bounded piece at a time.

First every link in order, with its row; then every row in order of time, whether it is linked at
all. How far it came is a value: a caller with little time comes back with it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from global_db.audit_heads import Head
from global_db.chain import BEGINNING, Placed, Tip
from services.chain.heads import Heads
from services.chain.sources import ChainSource, Place, seq_reaching
from services.chain.walk import LATE, Fault, Finding, Walked, beginning, first_bad_seq, step

LAG: Final = timedelta(seconds=60)
"""A row that is not linked so long after its transaction began is a finding; a second is usual."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long rows may wait for their links, and how many of each one page reads.

    A row is 128 KiB at most, twice its metadata: a page is some 25 MB at worst, mostly far less.
    """

    lag: timedelta = LAG
    links: int = 200
    places: int = 1000


USUAL: Final = Pace()


@dataclass(frozen=True, slots=True)
class Extent:
    """Which rows, by time: `since` inclusive, `until` exclusive; None: from the first, to the last.

    The walk begins and ends a little outside, at the next signed head where there is one.
    """

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """How far a verification has come: walking up to the link `last`; then, with `placed`, looking
    for rows without a link."""

    walked: Walked
    last: int
    placed: Place | None = None


@dataclass(slots=True)
class Report:
    """What was found. `position` is where to go on, None when all was looked at.

    `tip` is the chain's newest link, `head` its newest signed head.
    """

    tip: Tip | None
    head: Head | None
    archived: frozenset[date] = frozenset()
    """Months, by their first days, whose rows may be in the archive: their links were checked."""
    findings: list[Finding] = field(default_factory=list)
    checked: int = 0
    position: Position | None = None

    @property
    def first_bad_seq(self) -> int | None:
        """The lowest seq at which anything is wrong."""
        return first_bad_seq(self.findings)


@dataclass(frozen=True, slots=True)
class Verification:
    """One chain, its heads, and the rows in question."""

    source: ChainSource
    heads: Heads
    extent: Extent = Extent()
    pace: Pace = USUAL

    async def run(self, position: Position | None = None, seconds: float | None = None) -> Report:
        """Verify from `position` on, for so many seconds at most and one page at least."""
        deadline = None if seconds is None else time.monotonic() + seconds
        archived = await self.source.archived()
        report = Report(await self.source.tip(), self.heads.newest, archived)
        if position is None:
            report.findings += [*self.heads.forged, *self._truncation(report.tip)]
            position = await self._begin(report.tip)
        report.position = position
        while report.position is not None:
            report.position = await self._page(report.position, report)
            if deadline is not None and time.monotonic() >= deadline:
                break
        return report

    def _truncation(self, tip: Tip | None) -> list[Finding]:
        end = 0 if tip is None else tip.seq
        newest = self.heads.newest
        # The heads were read before the tip: a chain that only grew has passed them.
        lost = newest is not None and newest.seq > end
        return [Finding(end + 1, Fault.TRUNCATED)] if lost else []

    async def _begin(self, tip: Tip | None) -> Position:
        end = 0 if tip is None else tip.seq
        start, last = beginning(self.source.client_id), end
        if self.extent.since is not None:
            first = await seq_reaching(self.source, self.extent.since - LATE)
            found = await self.source.link_at(first - 1)
            if found is not None:
                start = Walked(first - 1, found[1], None, first - 1)
        if self.extent.until is not None:
            last = await seq_reaching(self.source, self.extent.until + LATE) - 1
            head = self.heads.covering(last) if last > start.seq else None
            last = min(last if head is None else head.seq, end)
        return Position(start, last)

    async def _page(self, position: Position, report: Report) -> Position | None:
        if position.placed is None:
            return await self._walk(position, report)
        settled, until = datetime.now(UTC) - self.pace.lag, self.extent.until
        before = settled if until is None else min(settled, until)
        page = await self.source.places(position.placed, before, self.pace.places)
        report.findings += [await self._unplaced(row) for row in page if row.seq is None]
        if len(page) < self.pace.places:
            return None
        return replace(position, placed=(page[-1].created_at, page[-1].id))

    async def _walk(self, position: Position, report: Report) -> Position:
        walked = position.walked
        links = await self.source.links(walked.seq, position.last, self.pace.links)
        for link in links:
            walked, found = step(walked, link, self.heads.by_seq, report.archived)
            report.findings += found
        report.checked += len(links)
        if len(links) == self.pace.links:
            return Position(walked, position.last)
        if walked.seq < position.last:
            report.findings.append(Finding(walked.seq + 1, Fault.REMOVED))
        since = self.extent.since
        return Position(walked, position.last, (since, UUID(int=0)) if since else BEGINNING)

    async def _unplaced(self, row: Placed) -> Finding:
        seq = await seq_reaching(self.source, row.created_at)
        return Finding(seq, Fault.UNLINKED if row.queued else Fault.INSERTED, row.id)

"""Walking a chain link by link: what was changed, removed, inserted or reordered. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from global_db.audit_heads import Head
from global_db.chain import Link
from services.chain.hashing import content_hash, extend, origin

LATE: Final = timedelta(minutes=15)
"""Rows are linked in the order in which their transactions are found committed. Transactions last
seconds: a row dated before what was linked ahead of it by more than this was dated by hand."""


class Fault(StrEnum):
    """What is wrong at a place of a chain."""

    REMOVED = "removed"
    """A link is not there."""
    MISSING = "missing"
    """The link is there and its row is not."""
    CHANGED = "changed"
    """The row says something else than when it was linked."""
    RELINKED = "relinked"
    """The link does not follow from the one before: it was changed, or links were reordered."""
    BACKDATED = "backdated"
    """The row claims to be older than rows that were linked long before it."""
    REWRITTEN = "rewritten"
    """The chain agrees with itself and not with its signed head: since the last head that it
    agrees with, rows were changed and everything after them linked anew."""
    TRUNCATED = "truncated"
    """The chain ends before its signed head."""
    FORGED_HEAD = "forged_head"
    """A head's signature is not by the key that it names."""
    INSERTED = "inserted"
    """A row is neither linked nor queued: it did not come in as rows do, or its link was removed.
    Its seq is that of the first row younger than it."""
    UNLINKED = "unlinked"
    """A row has waited too long for its link: the worker does not run, or is behind."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: from which seq on the chain is not to be trusted, and the row if it has one."""

    seq: int
    fault: Fault
    audit_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Walked:
    """How far a walk has come: the last link, the newest time so far, and the last seq up to which
    a signed head, or a chain's beginning, vouches for what was walked."""

    seq: int
    chain_hash: bytes
    newest: datetime | None = None
    vouched: int = 0


def beginning(client_id: UUID) -> Walked:
    """Before the first link of a chain."""
    return Walked(0, origin(client_id))


def step(
    walked: Walked, link: Link, heads: Mapping[int, Head], archived: Container[date] = ()
) -> tuple[Walked, list[Finding]]:
    """Take one link; answers how far the walk is then, and what was found.

    Rows of the months (their first days) in `archived` may be gone: their links still count.
    """
    found = list(_faults(walked, link, archived))
    head = heads.get(link.seq)
    vouched = walked.vouched
    if head is not None and head.chain_hash == link.chain_hash:
        vouched = link.seq
    elif head is not None:
        found.append(Finding(walked.vouched + 1, Fault.REWRITTEN))
    newest = max(walked.newest or link.audit_created_at, link.audit_created_at)
    return Walked(link.seq, link.chain_hash, newest, vouched), found


def _faults(walked: Walked, link: Link, archived: Container[date]) -> Iterable[Finding]:
    if link.seq != walked.seq + 1:
        yield Finding(walked.seq + 1, Fault.REMOVED)
    elif extend(walked.chain_hash, link.seq, link.content_hash) != link.chain_hash:
        yield Finding(link.seq, Fault.RELINKED, link.audit_id)
    if link.content is None:
        if _month(link.audit_created_at) not in archived:
            yield Finding(link.seq, Fault.MISSING, link.audit_id)
    elif content_hash(link.content) != link.content_hash:
        yield Finding(link.seq, Fault.CHANGED, link.audit_id)
    if walked.newest is not None and link.audit_created_at < walked.newest - LATE:
        yield Finding(link.seq, Fault.BACKDATED, link.audit_id)


def _month(moment: datetime) -> date:
    return moment.astimezone(UTC).date().replace(day=1)


def first_bad_seq(findings: Iterable[Finding]) -> int | None:
    """The lowest seq at which anything is wrong."""
    return min((finding.seq for finding in findings), default=None)

"""What a proof answers: broken invariants, each with what it means and what to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Final
from uuid import UUID

MOST_KEPT: Final = 1_000
"""Findings that a report holds; the others are counted."""


class Rule(StrEnum):
    """What must always hold of what is stored."""

    AUDITED = "I5"
    """One audit row for each committed change, in its transaction; the chain is whole."""
    PLACED = "I6"
    """The directory and the data agree."""
    VERSIONED = "I7"
    """Versions are dense and immutable, and the newest is the current one."""
    STORED = "I8"
    """Each version's blob is there, and is its own."""
    UNVERIFIED = "not verified"
    """Not a rule: what could not be looked at."""


ALL_RULES: Final = frozenset(Rule) - {Rule.UNVERIFIED}


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken invariant. `subject` is a shard, or a chain that is no client's."""

    rule: Rule
    what: str
    means: str
    do: str
    client: UUID | None = None
    document: UUID | None = None
    subject: str | None = None


@dataclass(slots=True)
class Report:
    """What was looked at, and what was found."""

    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    """Findings that are not kept."""
    tenants: int = 0
    documents: int = 0
    versions: int = 0
    audit_rows: int = 0
    links: int = 0
    blobs: int = 0
    bytes_read: int = 0
    archives: int = 0
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether all was looked at, and nothing was found."""
        return not self.findings

    def add(self, finding: Finding) -> None:
        """Keep a finding, or count it."""
        if len(self.findings) < MOST_KEPT:
            self.findings.append(finding)
        else:
            self.more += 1

    def take(self, other: Report) -> None:
        """Count in what another one has."""
        for one in other.findings:
            self.add(one)
        for name in (one.name for one in fields(self) if one.name not in ("findings", "seconds")):
            setattr(self, name, getattr(self, name) + getattr(other, name))

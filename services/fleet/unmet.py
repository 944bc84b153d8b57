"""What stands in the way of an operator's change."""

from __future__ import annotations

from collections.abc import Sequence

from services.fleet.finding import Finding


class Unmet(Exception):
    """Preconditions do not hold, and nothing was changed; `findings` say which and what to do."""

    def __init__(self, happened: str, findings: Sequence[Finding]) -> None:
        super().__init__(happened)
        self.happened = happened
        self.findings = tuple(findings)

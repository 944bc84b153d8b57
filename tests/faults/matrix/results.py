"""What the cases showed, by family: the table for people."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

PROPERTY = "kill_matrix"
"""The name under which a test's report carries its result."""
HEAD = (
    *("fault", "cases", "rounds", "finished", "aborted", "acknowledged writes"),
    *("longest without a write, s", "longest to the end, s"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """One case. `writes` were acknowledged and found again; in seconds: `gap`, the longest time in
    which a tenant had no write acknowledged, and `end`, from the fault to the move's end."""

    family: str
    rounds: int
    state: str
    writes: int
    gap: float
    end: float

    def plain(self) -> dict[str, Any]:
        """As test processes tell each other."""
        return asdict(self)


def headline() -> str:
    """When, of which commit, on which PostgreSQL."""
    programs = os.environ.get("DOCSHARD_POSTGRES")
    servers = f"PostgreSQL of {programs}" if programs else "PostgreSQL 18"
    return f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, {servers}."


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


def rows(results: Iterable[Result]) -> Iterator[Sequence[str]]:
    """A row for each family and one for all."""
    families: Mapping[str, list[Result]] = defaultdict(list)
    everything = list(results)
    for one in everything:
        families[one.family].append(one)
    for name in sorted(families):
        yield _row(name, families[name])
    yield _row("all", everything)


def text(results: Sequence[Result]) -> str:
    """Columns for a terminal."""
    lines = [HEAD, *rows(results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def markdown(results: Sequence[Result], headline: str) -> str:
    """The same for a page of the docs, with what was run and when above it."""
    rule = ["---", *(["---:"] * (len(HEAD) - 1))]
    lines = [f"| {' | '.join(line)} |" for line in (HEAD, rule, *rows(results))]
    return "\n".join([headline, "", *lines])


def _row(name: str, results: Sequence[Result]) -> Sequence[str]:
    return (
        name,
        str(len(results)),
        str(sum(one.rounds for one in results)),
        str(sum(one.state == "swept" for one in results)),
        str(sum(one.state == "aborted" for one in results)),
        f"{sum(one.writes for one in results):,}",
        f"{max((one.gap for one in results), default=0.0):.2f}",
        f"{max((one.end for one in results), default=0.0):.2f}",
    )

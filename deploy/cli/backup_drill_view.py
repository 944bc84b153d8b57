"""What drills have shown, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from deploy.cli.output import Format, show_json, show_rows
from deploy.errors import OperatorError
from services.fleet.drills import goals
from services.fleet.drills.history import Drill
from services.fleet.units import size


def show(done: Sequence[Drill], failed: Mapping[str, OperatorError], output: Format) -> None:
    """Those that were finished; a program is told which were not, too."""
    if output is Format.JSON:
        show_json(_document(done, failed))
        return
    for one in done:
        for line in _words(one):
            click.echo(line)


def show_history(drills: Sequence[Drill], output: Format) -> None:
    """Earlier ones."""
    rows = [asdict(one) for one in drills]
    if output is not Format.JSON:
        rows = [
            {name: row[name] for name in ("cluster", "begun_at", "rpo_seconds", "rto_seconds")}
            | {"good": row["good"], "findings": "; ".join(row["findings"])}
            for row in rows
        ]
    show_rows("drills", rows, output)


def _document(done: Sequence[Drill], failed: Mapping[str, OperatorError]) -> dict[str, Any]:
    return {
        "rpo_seconds": max((one.rpo_seconds for one in done), default=None),
        "rto_seconds": max((one.rto_seconds for one in done), default=None),
        "goals": {"rpo_seconds": goals.RPO_SECONDS, "rto_seconds": goals.RTO_SECONDS},
        "good": not failed and all(one.good for one in done),
        "drills": [asdict(one) for one in done],
        "failed": {cluster: str(error) for cluster, error in failed.items()},
    }


def _words(one: Drill) -> list[str]:
    told: Mapping[str, Any] = one.checked
    return [
        f"{one.cluster}: {'GOOD' if one.good else 'NOT GOOD'}, restored to {one.target_at}",
        f"  RPO {one.rpo_seconds:.0f} s of {goals.RPO_SECONDS:.0f}:"
        " so old was the newest row that can be restored",
        f"  RTO {one.rto_seconds:.1f} s of {goals.RTO_SECONDS:.0f}: {size(one.restored_bytes)} at"
        f" {size(told['bytes_per_second'])}/s, {told['replayed_segments']} segments of WAL in"
        f" {told['replay_seconds']} s",
        f"  {told['canaries']} canaries, {told['audit_rows']} audit rows, {told['audit_links']}"
        f" links, {told['signed_heads']} signed heads, {told['contents']} contents"
        + (f" from {told['contents_from']}" if told["contents_from"] else ""),
        *(f"  FINDING: {finding}" for finding in one.findings),
    ]

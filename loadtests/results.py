"""Tables of what a run measured. Pure."""

from collections.abc import Iterator, Sequence

from loadtests.runs.record import Gate, Operation, Run

COLUMNS = ("operation", "requests", "per s", "failed", "p50", "p90", "p95", "p99", "p999", "max")
_PARTS = (0.5, 0.9, 0.95, 0.99, 0.999)


def table(run: Run) -> str:
    """An aligned table of every operation and their sum; times in milliseconds."""
    rows = [_row(operation, run.seconds) for operation in (*run.operations, run.whole)]
    return aligned([COLUMNS, *rows])


def verdict(run: Run) -> str:
    """Every gate, the ledger and fairness, a line each."""
    return "\n".join(_verdict(run))


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, the first one left and the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(operation: Operation, seconds: float) -> tuple[str, ...]:
    times = operation.times
    marks = (*(times.percentile(part) for part in _PARTS), times.largest)
    return (
        operation.name,
        f"{operation.requests:,}",
        f"{operation.requests / seconds:,.1f}",
        f"{operation.failures:,}",
        *(_milliseconds(mark) for mark in marks),
    )


def _milliseconds(microseconds: int) -> str:
    """Three digits that mean something."""
    value = microseconds / 1000
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _verdict(run: Run) -> Iterator[str]:
    for gate in run.gates:
        yield f"{'ok    ' if gate.passed else 'MISSED'}  {_told(gate)}"
    ledger = run.ledger
    if ledger is not None:
        yield (
            f"{'ok    ' if ledger.balanced else 'MISSED'}  ledger: {ledger.acknowledged:,} writes "
            f"acknowledged, {ledger.checked:,} looked up, {ledger.missing} missing, "
            f"{ledger.doubled} doubled"
        )
    if run.fairness is not None:
        fair = run.fairness
        yield (
            f"        others' p99 is {fair.others_p99:.0f} ms beside the whale, "
            f"{fair.without_p99:.0f} ms without it"
        )


def _told(gate: Gate) -> str:
    found = "nothing to measure" if gate.measured is None else f"{gate.measured:.4g}"
    return f"{gate.name}: {found} ({gate.bound} {gate.goal:g})"

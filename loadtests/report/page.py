"""A run as one page of HTML: it needs nothing else, no network and no script. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from loadtests.report import answers, beside
from loadtests.report.charts import number
from loadtests.report.section import Told
from loadtests.runs.folder import Recorded
from loadtests.runs.record import Operation, Run

MARKS: Final = ("p50", "p90", "p95", "p99", "p999", "max")
_GIB: Final = 1024**3


@dataclass(frozen=True, slots=True)
class Row:
    """An operation's figures. `times` in ms by MARKS; `change` of p99 against the baseline."""

    name: str
    requests: int
    rate: float
    failures: int
    times: tuple[float | None, ...]
    change: float | None


def render(found: Recorded, baseline: Recorded | None = None) -> str:
    """The whole page; a baseline is laid over the plots of throughput and latency."""
    told = Told.of(found)
    base = Told.of(baseline) if baseline else None
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            run=found.run,
            base=baseline.run if baseline else None,
            rows=list(_rows(found.run, baseline.run if baseline else None)),
            marks=MARKS,
            facts=_facts(found.run),
            sections=[*answers.sections(told, base), *beside.sections(told)],
            events=found.events,
            span=told.sampled.span,
        )
    )


def _rows(run: Run, base: Run | None) -> Iterator[Row]:
    before = {one.name: one for one in (*base.operations, base.whole)} if base else {}
    for one in (*run.operations, run.whole):
        known = one.milliseconds
        yield Row(
            name=one.name,
            requests=one.requests,
            rate=one.requests / run.seconds,
            failures=one.failures,
            times=tuple(known.get(mark) for mark in MARKS),
            change=_change(one, before.get(one.name)),
        )


def _change(one: Operation, before: Operation | None) -> float | None:
    """How many times the former 99th percentile the present one is."""
    known = before.milliseconds if before else {}
    if not known.get("p99") or not one.times.counts:
        return None
    return one.milliseconds["p99"] / known["p99"]


def _facts(run: Run) -> dict[str, str]:
    """What the figures are of."""
    machine = run.machine
    return {
        "commit": run.commit,
        "processors": str(machine.cpus),
        "memory": f"{machine.memory / _GIB:.1f} GiB",
        "kernel": machine.kernel,
        "Python": machine.python,
        "PostgreSQL": machine.postgres,
    }


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("loadtests.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = number
    return made

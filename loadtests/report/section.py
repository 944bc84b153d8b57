"""A section of a report: one plot, what it shows, and why it is empty when it is. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from loadtests.report.charts import Chart, Plot, draw
from loadtests.report.lines import Line, Sampled
from loadtests.runs.folder import Recorded


@dataclass(frozen=True, slots=True)
class Topic:
    """What a section is of. `name` is its anchor on the page."""

    name: str
    title: str
    lead: str
    unit: str
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A topic with its chart; without one, `nothing` says why."""

    topic: Topic
    chart: Chart | None
    nothing: str = "Nothing of it was sampled in this run."


@dataclass(frozen=True, slots=True)
class Told:
    """A run, or the baseline that is laid over it, with its values in equal spans of time."""

    found: Recorded
    sampled: Sampled

    @classmethod
    def of(cls, found: Recorded) -> "Told":
        """Everything about a run."""
        return cls(found, Sampled.of(found.values, found.run.seconds))


def over_time(topic: Topic, told: Told, lines: Iterable[Line | None]) -> Section:
    """A plot over the seconds of the run, with the marks of its events."""
    there = tuple(line for line in lines if line is not None)
    plot = Plot(
        topic.title,
        topic.unit,
        there,
        logarithmic=topic.logarithmic,
        events=told.found.events,
        span=told.sampled.span,
    )
    return Section(topic, draw(plot))


def styled(line: Line | None, style: str, name: str) -> Line | None:
    """The same line in another style and by another name."""
    return None if line is None else replace(line, style=style, name=name)

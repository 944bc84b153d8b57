"""A run's folder: `run.json`, `operations.csv`, `seconds.csv`, `events.json`, later the report.

While a run goes on, its values are appended to `seconds.csv`, so memory stays bounded whatever a
run's length, and a killed one leaves what it had measured. `run.json` is written last: a folder
that has one is whole.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from loadtests.runs.moments import Event, Series, Value
from loadtests.runs.record import Operation, Run

_EVENTS = TypeAdapter(tuple[Event, ...])
_MARKS = ("p50", "p90", "p95", "p99", "p999", "max")


class NoRun(Exception):
    """A folder holds no whole run that this program can read. The message says why."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where one run is kept."""

    path: Path

    @property
    def run_file(self) -> Path:
        """What was run and measured, as JSON."""
        return self.path / "run.json"

    @property
    def operations_file(self) -> Path:
        """The figures of each operation, as CSV."""
        return self.path / "operations.csv"

    @property
    def seconds_file(self) -> Path:
        """What was sampled: `second,series,label,value`."""
        return self.path / "seconds.csv"

    @property
    def events_file(self) -> Path:
        """What happened, as a JSON list."""
        return self.path / "events.json"

    @property
    def noted_file(self) -> Path:
        """Events while a run goes on, one a line."""
        return self.path / "events.jsonl"

    @property
    def report_file(self) -> Path:
        """The report, one page of HTML."""
        return self.path / "report.html"

    def begin(self) -> None:
        """Make the folder and the head of `seconds.csv`. Raises FileExistsError for a used one."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self.seconds_file.open("x", newline="") as file:
            file.write(_lines([Value._fields]))

    def append(self, values: Iterable[Value]) -> None:
        """Add values; several processes may, since Linux appends one write as a whole."""
        text = _lines((v.second, v.series, v.label, f"{v.value:.6g}") for v in values)
        with self.seconds_file.open("ab", buffering=0) as file:
            file.write(text.encode())

    def note(self, events: Iterable[Event]) -> None:
        """Keep events while the run goes on; several processes may, as with values."""
        lines = "".join(event.model_dump_json() + "\n" for event in events)
        with self.noted_file.open("ab", buffering=0) as file:
            file.write(lines.encode())

    def finish(self, run: Run, events: Iterable[Event] = ()) -> None:
        """Write everything else, these events among those that were noted: the run is over."""
        together = [*self._noted(), *events]
        ordered = tuple(sorted(together, key=lambda event: event.second))
        self.events_file.write_bytes(_EVENTS.dump_json(ordered, indent=2))
        self.noted_file.unlink(missing_ok=True)
        self.operations_file.write_text(_table(run))
        new = self.run_file.with_suffix(".new")
        new.write_text(run.model_dump_json())
        new.replace(self.run_file)

    def _noted(self) -> list[Event]:
        if not self.noted_file.is_file():
            return []
        lines = self.noted_file.read_text().splitlines()
        return [Event.model_validate_json(line) for line in lines]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run, and what was sampled beside it."""

    run: Run
    values: tuple[Value, ...] = ()
    events: tuple[Event, ...] = ()


def read(folder: Path) -> Recorded:
    """A whole run.

    Raises NoRun when it is not whole, damaged, or of a format that this program does not know.
    """
    files = RunFolder(folder)
    run = read_run(folder)
    try:
        events = _EVENTS.validate_json(files.events_file.read_bytes())
        return Recorded(run, tuple(_values(files.seconds_file)), events)
    except FileNotFoundError as error:
        raise NoRun(f"{folder} is not whole: {error.filename} is missing.") from error
    except ValueError as error:
        raise NoRun(f"{folder} cannot be read: {error}") from error


def read_run(folder: Path) -> Run:
    """A run without what was sampled: all that a comparison needs. Raises NoRun as `read` does."""
    try:
        return Run.model_validate_json(RunFolder(folder).run_file.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoRun(f"{folder} holds no run: there is no run.json in it.") from error
    except ValidationError as error:
        raise NoRun(f"{folder}/run.json cannot be read: {error}") from error


def _values(file: Path) -> Iterator[Value]:
    with file.open(newline="") as lines:
        rows = csv.reader(lines)
        if tuple(next(rows, ())) != Value._fields:
            raise ValueError(f"{file.name} does not begin with {','.join(Value._fields)}")
        for second, series, label, value in rows:
            yield Value(int(second), Series(series), label, float(value))


def _table(run: Run) -> str:
    rows = [("operation", "requests", "failures", *(f"{mark}_ms" for mark in _MARKS))]
    rows += [_row(operation) for operation in (*run.operations, run.whole)]
    return _lines(rows)


def _row(operation: Operation) -> tuple[str, ...]:
    known = operation.milliseconds
    times = (f"{known[mark]:.3f}" if mark in known else "" for mark in _MARKS)
    return operation.name, str(operation.requests), str(operation.failures), *times


def _lines(rows: Iterable[Iterable[object]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()

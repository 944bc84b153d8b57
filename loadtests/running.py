"""One run, from the first call to the stored folder."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click

from docshard_client import DocshardError
from loadtests.acts import ActFailed, Operator
from loadtests.generator import Generator, generator
from loadtests.goals import fairness, gates
from loadtests.home import is_local, postgres_of
from loadtests.ledger import Judgement, judge
from loadtests.lookup import clean_up, look_up
from loadtests.plan import Measured, Plan
from loadtests.progress import Progress
from loadtests.report.command import write_report
from loadtests.runs.folder import RunFolder
from loadtests.runs.machine import this_commit, this_machine
from loadtests.runs.moments import Event, Kind
from loadtests.runs.record import Model, Offered, Run
from loadtests.sampling.moves import NoMoves, events, history
from loadtests.sampling.watch import Watched, sampled
from loadtests.target import Target


@dataclass(frozen=True)
class Load:
    """Who is loaded how, and where it is kept."""

    scenario: str
    target: Target
    plan: Plan
    home: Path
    """Of the local fleet, if there is one."""
    folder: RunFolder


@dataclass(frozen=True)
class Result:
    """A run that is over, and in words what else was found wrong."""

    run: Run
    report: Path
    findings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Every gate was reached, the ledger is balanced and the fleet is as it was."""
        return self.run.passed and not self.findings


@dataclass
class Course:
    """A run that goes on."""

    load: Load
    operator: Operator
    findings: list[str] = field(default_factory=list)

    def run(self) -> Result:
        """All of it. Raises GeneratorFailed when nothing was measured."""
        try:
            try:
                measured = self._measure()
            finally:
                self._tidy()
            judgement = self._judge(measured)
        finally:
            self._clean_up()
        for finding in judgement.findings:
            self._find(finding)
        run = self._record(measured, judgement)
        self.load.folder.finish(run, self._events(run))
        return Result(run, write_report(self.load.folder.path), tuple(self.findings))

    def _measure(self) -> Measured:
        """Load the fleet; sampler and operator begin when the load does."""
        progress = Progress(self.load.plan.scenario.seconds)
        with generator(self.load.target, self.load.plan, self.load.folder) as running:
            with ExitStack() as beside:
                for number, told in enumerate(running.told()):
                    if number == 0:
                        beside.enter_context(self._watched(running, told.started_at))
                        beside.enter_context(_operated(self.operator, told.started_at))
                    progress.show(told)
            progress.end()
            return running.measured()

    @contextmanager
    def _watched(self, running: Generator, started_at: float) -> Iterator[None]:
        watched = Watched(
            self.load.home, (self.load.target.api,), {running.process.pid: "load generator"}
        )
        with sampled(self.load.folder, datetime.fromtimestamp(started_at, UTC), watched):
            yield

    def _tidy(self) -> None:
        if self.operator.failed:
            self._find(self.operator.failed)
        try:
            self.operator.tidy()
        except ActFailed as error:
            self._find(f"The fleet is not as it was: {error}")

    def _judge(self, measured: Measured) -> Judgement:
        load, entries = self.load, measured.entries
        return judge(entries, look_up(load.target, load.plan, entries, measured.started_at))

    def _clean_up(self) -> None:
        try:
            clean_up(self.load.target, self.load.plan)
        except DocshardError as error:
            self._find(f"Documents of the run stay behind: {error}")

    def _find(self, what: str) -> None:
        """Tell it at once: a run that was stopped has no report."""
        self.findings.append(what)
        click.echo(f"FOUND {what}", err=True)

    def _record(self, measured: Measured, judgement: Judgement) -> Run:
        load, scenario = self.load, self.load.plan.scenario
        rates = tuple(Offered(second=span.begin, rate=span.load) for span in scenario.spans())
        return Run(
            scenario=load.scenario,
            model=scenario.model,
            seed=load.plan.seed,
            started_at=datetime.fromtimestamp(measured.started_at, UTC),
            seconds=measured.seconds,
            commit=this_commit(),
            machine=this_machine(postgres_of(load.home)),
            configuration=_configuration(load),
            offered=rates if scenario.model is Model.OPEN else (),
            operations=measured.operations,
            gates=gates(scenario, measured, self.operator.done),
            ledger=judgement.ledger,
            fairness=fairness(scenario, measured),
        )

    def _events(self, run: Run) -> Iterator[Event]:
        scenario = self.load.plan.scenario
        if len(scenario.phases) > 1:
            for span in scenario.spans():
                yield Event(second=span.begin, kind=Kind.STAGE, text=span.phase.name)
        if scenario.acts and is_local(self.load.home, self.load.target):
            try:
                yield from events(history(), run.started_at, run.seconds)
            except NoMoves as error:
                yield Event(second=0, kind=Kind.NOTE, text=f"moves are not known: {error}")


@contextmanager
def _operated(operator: Operator, started_at: float) -> Iterator[None]:
    """The operator works beside the load; what was begun is ended, nothing more is begun."""
    work = threading.Thread(target=operator.work, args=(started_at,), name="operator")
    work.start()
    try:
        yield
    finally:
        operator.call_off()
        work.join()


def _configuration(load: Load) -> dict[str, str]:
    scenario = load.plan.scenario
    load_of = {"users": scenario.users, "rate": scenario.rate}
    return {
        "api": load.target.api,
        "seconds": str(scenario.seconds),
        "skew": str(scenario.skew),
        "tenants": str(len(load.plan.tenants)),
        "generators": str(load.plan.workers),
        **{name: str(value) for name, value in load_of.items() if value is not None},
    }

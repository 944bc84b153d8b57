"""What locust loads: users of the closed model, or the schedule of the open one.

`loadtests.generator` starts it and says by DOCSHARD_LOAD_PLAN where the plan is, by
DOCSHARD_LOAD_RUN which folder takes the seconds, by DOCSHARD_LOAD_MEASURED where everything else
goes and by DOCSHARD_LOAD_TELL, a file descriptor, who hears how it goes. Workers of the distributed
mode are started by hand and have the plan alone.
"""

import os
from collections.abc import Callable, Mapping
from itertools import accumulate, count
from pathlib import Path
from random import Random
from typing import Any

import gevent
from gevent.pool import Pool
from locust import FastHttpUser, LoadTestShape, between, events, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner, Runner, WorkerRunner

from loadtests.arrivals import arrivals
from loadtests.calls import OPERATIONS
from loadtests.calls.desk import Desk, outcome_of
from loadtests.calls.own import Books
from loadtests.crowd import Caller, Crowd
from loadtests.plan import Outcome, Plan
from loadtests.recorder import Clock, Counting, Ended, Recorder
from loadtests.runs.folder import RunFolder
from loadtests.runs.record import Model
from loadtests.scenario import Span, span_at
from loadtests.telling import Teller
from loadtests.workers import REPORT_SECONDS, Forwarder, receive

PLAN = Plan.model_validate_json(Path(os.environ["DOCSHARD_LOAD_PLAN"]).read_bytes())
SCENARIO = PLAN.scenario
SPANS = SCENARIO.spans()
END = SPANS[-1].end
ANSWER_SECONDS = 30.0
"""No answer by then counts as none."""
PATIENCE_SECONDS = 3 * ANSWER_SECONDS
"""How long a master waits for workers whose load has ended."""

CROWD = Crowd(len(PLAN.tenants), SCENARIO.skew, whale=SCENARIO.has_whale)
MIX, MIX_REACH = list(SCENARIO.mix), list(accumulate(SCENARIO.mix.values()))
USERS = count()
UNDER_WAY = Pool(SCENARIO.in_flight)
BOOKS, CLOCK, RECORDER = Books(PLAN.run_id), Clock(), Recorder(SPANS, SCENARIO.model)
FORWARDER = Forwarder(BOOKS)
HEARD_OUT = set[str]()
"""Workers that have said their last."""


class Calling(FastHttpUser):
    """Who makes calls, by either model; equal seeds make equal choices."""

    abstract = True
    network_timeout = connection_timeout = ANSWER_SECONDS

    def on_start(self) -> None:
        """Begin with chance of one's own."""
        # 307 is an answer like others: following it here would show storage our key.
        agent = self.client.client
        agent.redirect_response_codes = frozenset()  # type: ignore[misc]  # each object's own
        runner = self.environment.runner
        part = runner.worker_index if isinstance(runner, WorkerRunner) else 0
        self.chance = Random(f"{PLAN.seed}/{part}/{next(USERS)}")
        self.counting = counting_of(runner)

    def pick(self, span: Span) -> Caller:
        """Who calls in this span."""
        return CROWD.pick(span.phase, self.chance)

    def serve(self, caller: Caller, due: float) -> None:
        """One operation of the mix, to begin at this second."""
        name = self.chance.choices(MIX, cum_weights=MIX_REACH)[0]
        desk = Desk(
            session=self.client,
            caller=caller,
            tenant=PLAN.tenants[caller.tenant],
            books=BOOKS,
            chance=self.chance,
            offered=lambda again: self.counting.offered(CLOCK.now, again.group),
            due=CLOCK.moment(due),
        )
        try:
            OPERATIONS[name](desk)
        except (LookupError, TypeError, ValueError) as error:
            # An answer passed its judge and still could not be read.
            what = f"{type(error).__name__} in reading an answer"
            ended = Ended(name, due, CLOCK.now, caller.group, 0.0, Outcome.WRONG, what)
            self.counting.ended(ended)


class TenantUser(Calling):
    """The closed model: waits for an answer, thinks, and calls again."""

    abstract = SCENARIO.model is not Model.CLOSED
    wait_time = between(*(ms / 1000 for ms in SCENARIO.wait_ms))

    @task
    def turn(self) -> None:
        """One operation of one of the tenants."""
        now = CLOCK.now
        caller = self.pick(SPANS[span_at(SPANS, now)])
        self.counting.offered(now, caller.group)
        self.serve(caller, now)


class Schedule(Calling):
    """The open model: calls begin when they are due, whatever became of those before.

    One greenlet keeps the schedule, the others wait for answers. Who is due while `in_flight` are
    under way does not call at all, and is counted.
    """

    abstract = SCENARIO.model is not Model.OPEN
    concurrency = SCENARIO.in_flight

    @task
    def keep(self) -> None:
        """The whole schedule; ends when its last call has ended."""
        for due in arrivals(SPANS, self.chance, 1 / PLAN.workers):
            # Sleeping 0 lets the others go on, too: who is late must not starve them.
            gevent.sleep(max(0.0, due - CLOCK.now))
            caller = self.pick(SPANS[span_at(SPANS, due)])
            self.counting.offered(due, caller.group)
            if UNDER_WAY.full():
                self.counting.overflowed(due, caller.group)
            else:
                UNDER_WAY.spawn(self.serve, caller, due)
        UNDER_WAY.join()
        raise StopUser


class Phases(LoadTestShape):
    """Users by phase; in the open model one on each worker, who keeps its part of the schedule."""

    def tick(self) -> tuple[int, float] | None:
        """How many users there are to be, and how many may come or go in a second."""
        second = CLOCK.now
        if second >= END:
            return (0, 100) if self._awaits_workers(second) else None
        if SCENARIO.model is Model.OPEN:
            return PLAN.workers, 100
        users = max(1, round(SPANS[span_at(SPANS, second)].load))
        return users, users

    def _awaits_workers(self, second: float) -> bool:
        """A master that ended now would take half a second of its workers' last words."""
        if not isinstance(self.runner, MasterRunner):
            return False
        return len(HEARD_OUT) < PLAN.workers and second < END + PATIENCE_SECONDS


def counting_of(runner: Runner | None) -> Counting:
    """Who is told of this runner's calls: of a worker's, its master."""
    return FORWARDER if isinstance(runner, WorkerRunner) else RECORDER


@events.init.add_listener  # type: ignore[untyped-decorator]  # locust gives it no types
def set_up(environment: Environment, runner: Runner, **_: Any) -> None:
    """Have calls counted here or at the master, and the seconds told by who counts them."""
    counting = counting_of(runner)

    def count_call(
        name: str,
        response_time: float,
        exception: Exception | None,
        context: Mapping[str, Any],
        **_: Any,
    ) -> None:
        error = None if exception is None else str(exception)
        due, group = CLOCK.at(context["due"]), context["caller"].group
        outcome = outcome_of(exception)
        counting.ended(Ended(name, due, CLOCK.now, group, response_time, outcome, error))

    _listen(environment.events.request, count_call)
    _listen(environment.events.test_start, lambda **_: CLOCK.begin())
    if isinstance(runner, WorkerRunner):
        _listen(
            environment.events.report_to_master,
            lambda data, **_: FORWARDER.report(data, last=_is_over(runner)),
        )
    else:
        _set_up_telling(environment, runner)


def _listen(hook: Any, listener: Callable[..., None]) -> None:
    hook.add_listener(listener)


def _is_over(runner: Runner) -> bool:
    return CLOCK.now >= END and not len(UNDER_WAY) and not runner.user_count


def _set_up_telling(environment: Environment, runner: Runner) -> None:
    distributed = isinstance(runner, MasterRunner)
    teller = Teller(
        folder=RunFolder(Path(os.environ["DOCSHARD_LOAD_RUN"])),
        descriptor=int(os.environ["DOCSHARD_LOAD_TELL"]),
        recorder=RECORDER,
        clock=CLOCK,
        under_way=lambda: len(UNDER_WAY) if SCENARIO.model is Model.OPEN else runner.user_count,
        late=2 * REPORT_SECONDS if distributed else 0.0,
    )

    def each_second() -> None:
        while True:
            teller.tell()
            gevent.sleep(1 - CLOCK.now % 1)

    ticking = gevent.Greenlet(each_second)

    def write_measured(**_: Any) -> None:
        """Hand everything to the process that started this one."""
        ticking.kill()
        teller.end()
        lost = PLAN.workers - len(HEARD_OUT) if distributed else 0
        measured = RECORDER.measured(CLOCK).model_copy(
            update={"entries": BOOKS.entries, "generators_lost": lost}
        )
        Path(os.environ["DOCSHARD_LOAD_MEASURED"]).write_text(measured.model_dump_json())

    def hear(client_id: str, data: dict[str, Any], **_: Any) -> None:
        if receive(data, RECORDER, BOOKS):
            HEARD_OUT.add(client_id)

    _listen(environment.events.test_start, lambda **_: ticking.start())
    _listen(environment.events.quitting, write_measured)
    _listen(environment.events.worker_report, hear)

"""`python -m tests.acceptance.switched_router`: a router that looks at its requests by turns.

What figures and logs cost is measured within it: one process, one connection, the same memory. It
notes the processor time of the process behind each turn. Lines that were gathered are written
before that, so that they are paid for in the turn that they are of: dearer than in life, where more
lines are written at once.

After `GET /meter` it looks at all, and says how much processor time that took in its place, behind
whatever else a request does: a difference between turns is lost in the noise of a busy machine.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope
from uvicorn import Config

from global_db.cluster import Cluster
from global_db.tally import ClusterTally
from router.__main__ import server_options
from router.app import create_app
from router.context import RequestContext
from router.open_files import take_open_files
from router.settings import RouterSettings
from router.watch import Watch
from router.workers import serve
from services.logs.configuration import configure, open_request_log, secrets_of
from services.logs.redaction import Redactor
from services.logs.requests import RequestLog
from services.resources import Data
from services.settings import Settings

Call = Callable[..., None]

READS: Final = 50
"""Requests of a turn."""
TURNS: Final = 4
"""Turns of a block."""


def looks(turn: int) -> bool:
    """Whether the router looks in this turn: blocks go ABBA, nothing, BAAB, nothing."""
    block, place = divmod(turn, TURNS)
    return block % 2 == 0 and first_kind(block, place)


def first_kind(block: int, place: int) -> bool:
    """Whether a turn is one of those that are compared with the other two of its block."""
    return (place in (0, TURNS - 1)) is (block % 4 < 2)


class Silent(ClusterTally):
    """Counts no work."""

    def worked(self, asked: float, lent: float, *, on_replica: bool) -> None:
        """Count nothing."""


class Meter:
    """The processor time of calls where they stand, without what its own clock takes."""

    def __init__(self) -> None:
        self.paid = 0
        """Nanoseconds."""
        self._clock = 0
        self._begun = time.process_time_ns()
        self._inside = False

    @property
    def rest(self) -> int:
        """What the process used for all else."""
        return time.process_time_ns() - self._begun - self._clock - self.paid

    def timed(self, call: Call) -> Call:
        """The call, which pays."""

        def paying(*args: Any, **named: Any) -> None:
            if self._inside:
                call(*args, **named)
                return
            self._inside = True
            begun = time.thread_time_ns()
            call(*args, **named)
            ended = time.thread_time_ns()
            clock = time.thread_time_ns() - ended
            self.paid += ended - begun - clock
            self._clock += 3 * clock
            self._inside = False

        return paying


class Metered(ClusterTally):
    """Counts work, and pays for it."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self.pay = meter.timed(super().worked)

    def worked(self, asked: float, lent: float, *, on_replica: bool) -> None:
        """Count one piece of work."""
        self.pay(asked, lent, on_replica=on_replica)


class SwitchedWatch(Watch):
    """Looks by turns, once they have begun."""

    def __init__(self, log: RequestLog) -> None:
        super().__init__(log)
        self._meter = Meter()
        self._look: Call = super().answered
        self._looks = True
        self._clocks: list[int] = []
        self._left = READS
        self._tallies: list[tuple[Cluster, ClusterTally]] = []
        self._silent: Final = Silent()

    def begin(self, data: Data) -> list[int]:
        """Begin the turns anew. Nanoseconds that the process had used before the first one of the
        last time, and behind each."""
        clusters = (data.global_db, *data.registry.clusters())
        self._tallies = self._tallies or [(one, one.tally) for one in clusters]
        clocks, self._clocks = self._clocks, []
        self._next()
        return clocks

    def answered(self, scope: Scope, context: RequestContext) -> None:
        """Count the request and write its line, or do nothing."""
        if self._looks:
            self._look(scope, context)
        self._left -= 1
        if not self._left:
            self._next()

    def meter(self, data: Data) -> tuple[int, int]:
        """Look at all from now on. Nanoseconds for that, and for all else, since the last time."""
        last, self._meter = self._meter, Meter()
        self._looks, self._left = True, -1
        self._look = self._meter.timed(super().answered)
        vars(self)["catch_up"] = self._meter.timed(super().catch_up)
        for cluster in (data.global_db, *data.registry.clusters()):
            cluster.tally = Metered(self._meter)
        return last.paid, last.rest

    def _next(self) -> None:
        self.catch_up()
        self._clocks.append(time.process_time_ns())
        self._left = READS
        self._looks = looks(len(self._clocks) - 1)
        for cluster, tally in self._tallies:
            cluster.tally = tally if self._looks else self._silent


async def begin_turns(watch: SwitchedWatch, request: Request) -> JSONResponse:
    return JSONResponse(watch.begin(request.app.state.edge.resources.data))


async def meter(watch: SwitchedWatch, request: Request) -> JSONResponse:
    return JSONResponse(watch.meter(request.app.state.edge.resources.data))


def app() -> FastAPI:
    settings = Settings()
    redactor = Redactor(secrets_of(settings))
    configure(settings.log, redactor)
    watch = SwitchedWatch(open_request_log(settings.log, redactor))
    made = create_app(settings, RouterSettings(), watch)
    made.add_route("/turns", partial(begin_turns, watch))
    made.add_route("/meter", partial(meter, watch))
    return made


if __name__ == "__main__":
    # Served as the router is: what was loaded is frozen, and no garbage is looked for in it.
    options = server_options(RouterSettings(), take_open_files())
    serve(Config("tests.acceptance.switched_router:app", factory=True, **options))

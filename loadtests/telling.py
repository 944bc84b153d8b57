"""Second by second: the run's folder takes the values, who started the run hears how it goes."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from loadtests.plan import Outcome, Told
from loadtests.recorder import Clock, Recorder
from loadtests.runs.folder import RunFolder
from loadtests.runs.moments import Series, Value
from loadtests.runs.record import ALL
from loadtests.scenario import span_at


@dataclass
class Teller:
    """What the generator says of itself. `late` seconds are left to those who report later."""

    folder: RunFolder
    descriptor: int
    recorder: Recorder
    clock: Clock
    under_way: Callable[[], int]
    late: float = 0.0

    def tell(self) -> None:
        """Values of the seconds that are over, and a line."""
        now = self.clock.now
        values = list(self.recorder.take_seconds(now - self.late))
        self.folder.append([*values, Value(int(now), Series.USERS, "", self.under_way())])
        self._line(self._told(now, values))

    def end(self) -> None:
        """The values of the last seconds."""
        self.folder.append(self.recorder.take_seconds(self.clock.now + 2))
        os.close(self.descriptor)

    def _told(self, now: float, values: list[Value]) -> Told:
        recorder = self.recorder
        p99s = [v.value for v in values if (v.series, v.label) == (Series.P99, ALL)]
        groups = [f for phase in recorder.phases for f in phase.groups.values()]
        answers = recorder.outcomes.total()
        return Told(
            second=int(now),
            started_at=self.clock.started_at,
            phase=recorder.spans[span_at(recorder.spans, now)].phase.name,
            under_way=self.under_way(),
            answers=answers,
            failed=answers - recorder.outcomes[Outcome.RIGHT],
            overflow=sum(f.overflow for f in groups),
            p99_ms=p99s[-1] if p99s else 0.0,
        )

    def _line(self, told: Told) -> None:
        # Who listened may be gone; the run's folder has it all.
        with suppress(BrokenPipeError):
            os.write(self.descriptor, told.model_dump_json().encode() + b"\n")

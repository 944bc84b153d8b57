"""Tenants that are written to by a schedule, and what their writers saw."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise

from loadtests.bench.caller import Line, connected, demand, request, with_keys

_CREATED, _UNAVAILABLE = 201, 503


@dataclass(frozen=True, slots=True)
class Write:
    """An acknowledged write: when it was to start by the schedule, and when it was answered, in
    seconds of the machine's clock, which the fleet's servers have, too."""

    due: float
    answered: float


@dataclass
class Caller:
    """One tenant whose documents are made by a schedule, whatever became of those before: a write
    that waits holds up no other, and none is left out because another waits."""

    client_id: str
    key: str = field(repr=False)
    writes: list[Write] = field(default_factory=list)
    again: int = 0

    async def write(self, port: int, rate: float, stop: asyncio.Event) -> None:
        """Make `rate` documents a second until told to stop; what was due by then is awaited.

        Raises:
            BadAnswer.
        """
        body = json.dumps({"original_name": "a.txt", "mime_type": "text/plain"}).encode()
        path = f"/v1/clients/{self.client_id}/documents"
        asked = with_keys(request("POST", path, self.key, body))
        idle: list[Line] = []
        async with asyncio.TaskGroup() as group:
            began = time.time() + random.random() / rate
            for number in count():
                due = began + number / rate
                early = due - time.time()
                if stop.is_set() and early > 0:
                    break
                await asyncio.sleep(early)
                group.create_task(self._write(port, idle, next(asked), due))
        for line in idle:
            line.close()

    async def _write(self, port: int, idle: list[Line], asked: bytes, due: float) -> None:
        """What was refused is sent again, as the same write."""
        while idle and idle[-1].closed:
            idle.pop()
        line = idle.pop() if idle else await connected(port)
        while (answer := await line.ask(asked)).status == _UNAVAILABLE:
            self.again += 1
        demand(answer, _CREATED)
        self.writes.append(Write(due, time.time()))
        idle.append(line)

    def seen(self, since: float, until: float) -> "Seen":
        """What a writer saw between these moments."""
        return seen([one for one in self.writes if since <= one.due <= until])


@dataclass(frozen=True, slots=True)
class Seen:
    """Of some writes in milliseconds: the longest that one took from when it was due to its answer,
    and the longest time without an answer."""

    longest_ms: float
    gap_ms: float


def seen(writes: Sequence[Write]) -> Seen:
    """What a writer saw whose writes these were. Raises ValueError for fewer than two."""
    answers = sorted(one.answered for one in writes)
    return Seen(
        1000 * max(one.answered - one.due for one in writes),
        1000 * max(after - before for before, after in pairwise(answers)),
    )

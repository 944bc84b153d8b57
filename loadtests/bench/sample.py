"""One round of a closed loop: its rate, and what each answer took of the processors."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.bench.caller import Script, closed_loop
from loadtests.bench.processor import Family
from loadtests.bench.servers import Server

_LEAD_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    """One round: answers a second, and microseconds of processor time for each."""

    rate: float
    server: float
    database: float
    callers: float


async def taken(
    server: Server, databases: Sequence[Family], scripts: Sequence[Script], seconds: float
) -> Sample:
    """Let these callers ask for so long.

    Raises:
        BadAnswer.
    """
    # What is trusted for seconds has ended since the form's last turn: it is asked for first,
    # as it would be now and then in a steady load.
    await closed_loop(server.port, scripts, _LEAD_SECONDS)
    # Looking at others takes time of ours, so we look at ourselves in between.
    before = [server.family.nanoseconds(), _all(databases), time.process_time_ns()]
    load = await closed_loop(server.port, scripts, seconds)
    own = time.process_time_ns()
    after = [server.family.nanoseconds(), _all(databases), own]
    spent = [now - was for now, was in zip(after, before, strict=True)]
    return Sample(load.answers / load.seconds, *(ns / load.answers / 1000 for ns in spent))


def _all(families: Sequence[Family]) -> int:
    return sum(family.nanoseconds() for family in families)

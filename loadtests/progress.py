"""A line that says how a run goes: rewritten on a terminal, now and then a new one elsewhere."""

import sys
from dataclasses import dataclass
from typing import TextIO

from loadtests.plan import Told

_EVERY_SECONDS = 5


@dataclass
class Progress:
    """Writes to standard error, so that standard output is the table alone."""

    seconds: float
    """How long the run is to last."""
    out: TextIO = sys.stderr
    _answers: int = 0

    def show(self, told: Told) -> None:
        """Say how it goes now."""
        rate, self._answers = told.answers - self._answers, told.answers
        if self.out.isatty():
            self.out.write(f"\r\033[K{line(told, rate, self.seconds)}")
            self.out.flush()
        elif told.second % _EVERY_SECONDS == 0 and told.second:
            self.out.write(f"{line(told, rate, self.seconds)}\n")

    def end(self) -> None:
        """What follows begins on a line of its own."""
        if self.out.isatty():
            self.out.write("\n")


def line(told: Told, rate: int, seconds: float) -> str:
    """One second in words; behind the time come the last answers and the ledger."""
    if told.second > seconds:
        where = "waiting for the last answers"
    else:
        where = f"{told.second} of {seconds:.0f} s, {told.phase}"
    turned_away = f", {told.overflow:,} turned away" if told.overflow else ""
    return (
        f"{where}: {rate} answers/s, p99 {told.p99_ms:.0f} ms, {told.under_way} under way, "
        f"{told.failed:,} failed{turned_away}"
    )

"""When a server is left out, and when it is trusted again. Pure.

Out at the first failure, since the others can serve; in again after several good answers in a row,
so that a server that comes and goes is not tried each time it comes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """`trusted` servers are used. A new one is not until it has answered."""

    good_answers_needed: int
    _good: int = 0

    @property
    def trusted(self) -> bool:
        """Whether enough answers in a row were good."""
        return self._good >= self.good_answers_needed

    def good(self) -> None:
        """It answered."""
        self._good += 1

    def bad(self) -> None:
        """It did not answer, or a connection to it failed."""
        self._good = 0

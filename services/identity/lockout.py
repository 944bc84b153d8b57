"""How long a guesser has to wait: pure thinking about failures and time.

Some failures are free, for people mistype. Then the wait doubles with each one, up to a bound: a
lock for ever would let anybody lock out anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Lockout:
    """The rule for one kind of counter. Times are in seconds."""

    free_failures: int
    longest_delay: int
    forget_after: int
    """Failures are forgotten when nothing was added for so long."""

    def delay(self, failures: int) -> int:
        """The wait after so many failures in a row: none, then 1, 2, 4 … seconds."""
        beyond = failures - self.free_failures
        if beyond <= 0:
            return 0
        # The exponent is bounded, so that no counter makes a huge number.
        return int(min(2 ** min(beyond - 1, 30), self.longest_delay))

    def wait(self, failures: int, elapsed: float) -> int:
        """Whole seconds until the next attempt is let through; 0: now.

        `elapsed` is the time since the last failure. Below 0 the clock was set back since then:
        nobody is kept out for as long as that was, and whoever fails now waits by the new time.
        """
        return 0 if elapsed < 0 else max(0, ceil(self.delay(failures) - elapsed))

    def counted(self, failures: int, elapsed: float) -> int:
        """The number of failures once this attempt is counted as one."""
        return 1 if elapsed >= self.forget_after else failures + 1

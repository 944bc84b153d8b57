"""`python -m loadtests.bench.sampled`: the router, with a look now and then at what it does.

It is the product's own program, run as its command runs it. Between two SIGUSR1 a timer of
processor time looks at the stack; at the second one what was seen is written, as JSON: how often
each stack was met, its functions from the innermost outwards. A look takes ten microseconds every
few milliseconds. What is done outside Python counts for the function that called it.
"""

import json
import os
import runpy
import signal
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

MODULE: Final = "SAMPLED_MODULE"
"""The variable that names the program."""
INTO: Final = "SAMPLED_INTO"
"""The variable that names the file."""
_EVERY_SECONDS: Final = 0.001
"""The kernel looks at its timers every few milliseconds; more often is not to be had."""

Stack = tuple[tuple[str, str], ...]


class Sampler:
    """Counts stacks while it is switched on."""

    def __init__(self, into: Path) -> None:
        self._into = into
        self._seen: Counter[Stack] | None = None

    def switch(self, _: int, __: FrameType | None) -> None:
        """Begin, or end and write."""
        if self._seen is None:
            self._seen = Counter()
            signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)
            return
        signal.setitimer(signal.ITIMER_PROF, 0)
        unfinished = self._into.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(list(self._seen.items())))
        unfinished.rename(self._into)
        self._seen = None

    def look(self, _: int, frame: FrameType | None) -> None:
        """Count what runs."""
        found = []
        while frame is not None:
            code = frame.f_code
            found.append((code.co_filename, code.co_qualname))
            frame = frame.f_back
        if self._seen is not None:
            self._seen[tuple(found)] += 1


def main() -> None:
    """Run the program that the environment names until it ends."""
    sampler = Sampler(Path(os.environ[INTO]))
    signal.signal(signal.SIGPROF, sampler.look)
    signal.signal(signal.SIGUSR1, sampler.switch)
    runpy.run_module(os.environ[MODULE], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

"""`python -m loadtests.bench.profile` tells where the time of a routed read goes."""

import re
from subprocess import PIPE

from loadtests.programs import python

_SECONDS = 300.0
ITEM = re.compile(r"(.+?) {2,}(\d[\d,]*) +(\d+\.\d)%")


def profiled() -> list[dict[str, float]]:
    """What a short run shows of each path: the part of every line, of 100."""
    words = ("--seconds", "3", "--rows", "400", "--functions", "0")
    with python("-P", "-m", "loadtests.bench.profile", *words, stdout=PIPE) as process:
        shown, _ = process.communicate(timeout=_SECONDS)
    assert process.returncode == 0
    tables = shown.decode().strip().split("\n\n")
    return [
        {found[1]: float(found[3]) for line in table.splitlines() if (found := ITEM.match(line))}
        for table in tables
    ]


def test_a_read_and_a_page_are_shared_out_whole() -> None:
    tables = profiled()
    assert len(tables) == 2
    for parts in tables:
        assert parts.pop("all") == 100
        assert abs(sum(parts.values()) - 100) < 0.1 * len(parts)
        assert parts["driver: send, wait, read rows"] > 0
        assert parts["HTTP and event loop"] > 0

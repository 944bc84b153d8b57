"""On what a request's time is spent, told from the stacks that were met. Pure.

A stack counts for its innermost function that lies in one of our packages or in a library that an
item names: what these ask of Python's own library is theirs.
"""

import sysconfig
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.programs import ROOT

Stack = Sequence[Sequence[str]]
"""File and function of each frame, the innermost first."""

REST: Final = "elsewhere"

# The first whose words begin a file's path counts.
_ITEMS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("driver: send, wait, read rows", ("psycopg/", "global_db/cursors.py")),
    ("pool, loan, deadline", ("psycopg_pool/", "global_db/loan.py", "global_db/node.py",
                              "global_db/connection.py")),
    ("HTTP and event loop", ("uvicorn/", "router/protocol.py")),
    ("framework, route, arguments", (
        "starlette/", "fastapi/", "pydantic/", "router/frame.py", "router/dispatch.py",
        "router/api.py", "router/call.py", "router/binding.py", "router/bodies.py",
        "router/models/")),
    ("admission: key, limits, rights", (
        "router/security.py", "router/limits.py", "services/access/", "services/identity/",
        "services/expiring_cache.py", "services/settings.py")),
    ("edge: id, headers, figures", ("router/middleware/", "router/context.py", "router/watch.py",
                                    "router/figures.py", "services/logs/", "services/exposition/",
                                    "global_db/timing.py", "global_db/tally.py")),
    ("answer, ETag, cursor", ("router/", "services/cursor.py", "services/keys/")),
    ("use case, placement, server", ("services/", "shards/", "global_db/")),
)  # fmt: skip
_ROOTS: Final = tuple(
    f"{one}/" for one in (sysconfig.get_path("platlib"), sysconfig.get_path("purelib"), ROOT)
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one item takes of a request: microseconds, and its part of all, from 0 to 1."""

    name: str
    micros: float
    part: float


def by_item(seen: Iterable[tuple[Stack, int]], micros: float) -> list[Cost]:
    """What each item takes of a request that takes `micros` as a whole, the dearest first."""
    return _shared(((_item(stack), times) for stack, times in seen), micros)


def by_function(seen: Iterable[tuple[Stack, int]], micros: float) -> list[Cost]:
    """The same for each function of ours and of the libraries."""
    return _shared(((_function(stack), times) for stack, times in seen), micros)


def _shared(named: Iterable[tuple[str, int]], micros: float) -> list[Cost]:
    counts: Counter[str] = Counter()
    for name, times in named:
        counts[name] += times
    whole = counts.total()
    return [
        Cost(name, micros * times / whole, times / whole) for name, times in counts.most_common()
    ]


def _item(stack: Stack) -> str:
    return next((item for file, _ in stack if (item := _of_file(_short(file))) is not None), REST)


def _function(stack: Stack) -> str:
    found = ((_short(file), name) for file, name in stack)
    return next((f"{file}: {name}" for file, name in found if _of_file(file) is not None), REST)


def _of_file(file: str) -> str | None:
    return next((item for item, begins in _ITEMS if file.startswith(begins)), None)


def _short(file: str) -> str:
    """The path inside what was installed, or inside this project."""
    return next((file.removeprefix(one) for one in _ROOTS if file.startswith(one)), file)

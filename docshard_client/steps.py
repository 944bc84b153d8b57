"""What can happen next, as values: the words in which thinking and doing talk.

Everything this library does is a generator of steps (`Exchange`). It is sent each step's outcome
and does no I/O itself; `drivers.py` carries steps out, blocking or awaiting. So neither face knows
anything that the other does not.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import httpx

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Outcome = httpx.Response | httpx.TransportError
"""An answer, whatever its status, or how the connection broke."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Sending:
    """Send a request with a long body, chunk by chunk. Its outcome is an Outcome.

    `body` reads files, so it is iterated off the event loop; `moved` hears of each chunk's length
    once it has been handed on, and may raise to stop.
    """

    request: httpx.Request
    body: Callable[[], Iterator[bytes]]
    moved: Callable[[int], None]


class Sink(Protocol):
    """Where the bytes of an answer go. Its methods do file I/O."""

    def begin(self, response: httpx.Response) -> None:
        """An answer of status 200 or 206 has begun."""

    def take(self, chunk: bytes) -> None:
        """The next bytes of it."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """Send a request and let the bytes of a good answer flow into `sink`.

    Its outcome is an Outcome; when the connection broke the sink has what came before.
    """

    request: httpx.Request
    sink: Sink
    moved: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Work(Generic[T_co]):
    """Call a function that takes long or touches files. Its outcome is what it returns."""

    function: Callable[[], T_co]


@dataclass(frozen=True, slots=True)
class Together:
    """Carry several exchanges out side by side, at most `width` at a time.

    The first error ends them all and is raised; `stop` is called then, to hurry the others.
    """

    exchanges: "Sequence[Exchange[Any]]"
    width: int
    stop: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Alone(Generic[T]):
    """Carry an exchange out while no other one of this kind runs. Its outcome is its result.

    It is not abandoned half-way when the caller is cancelled.
    """

    exchange: "Exchange[T]"


Step = httpx.Request | Pause | Sending | Fetching | Work[Any] | Together | Alone[Any]
Exchange = Generator[Step, Any, T]


def sent(step: httpx.Request | Sending | Fetching) -> Exchange[Outcome]:
    """Have a request sent."""
    outcome: Outcome = yield step
    return outcome


def worked(function: Callable[[], T]) -> Exchange[T]:
    """Have a function called off the event loop."""
    result: T = yield Work(function)
    return result

"""Blocking work off the event loop, with a bound on what runs and on what waits."""

import asyncio
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from services.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")


class BoundedThreads:
    """A pool of `threads` threads before which at most `max_waiting` calls wait.

    One more is refused at once: an answer that nobody waits for any more is wasted work.
    """

    def __init__(self, name: str, threads: int, max_waiting: int) -> None:
        self._name = name
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._bound = threads + max_waiting
        self._taken = 0

    async def run(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Run `function` in a thread and wait for it.

        When the caller is cancelled a running function goes on to its end and keeps its place.

        Raises:
            Overloaded: too many wait already.
        """
        if self._taken >= self._bound:
            raise Overloaded(f"Too much work waits for {self._name}.")
        loop = asyncio.get_running_loop()
        self._taken += 1
        try:
            running = self._executor.submit(functools.partial(function, *arguments, **named))
        except BaseException:
            self._taken -= 1
            raise
        running.add_done_callback(functools.partial(self._leave, loop))
        return await asyncio.wrap_future(running)

    def close(self) -> None:
        """Refuse new work, drop what waits, and wait for what runs."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _leave(self, loop: asyncio.AbstractEventLoop, _: Future[T]) -> None:
        # Called in the thread that did the work; the count belongs to the loop's thread.
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        self._taken -= 1


class Slots:
    """A number of things that may go on at a time; one more is refused at once."""

    def __init__(self, name: str, number: int) -> None:
        self._name = name
        self._free = number

    def take(self) -> None:
        """Take a slot, to be given back by `release`.

        Raises:
            Overloaded: none is free.
        """
        if self._free <= 0:
            raise Overloaded(f"Too many {self._name} go on at present.")
        self._free -= 1

    def release(self) -> None:
        """Give a slot back."""
        self._free += 1

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a slot for the length of the block.

        Raises:
            Overloaded: none is free.
        """
        self.take()
        try:
            yield
        finally:
            self.release()

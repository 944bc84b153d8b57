"""Carrying steps out: `Blocking` in the caller's thread, `Awaiting` on its event loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Lock
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from docshard_client.call import Call, following
from docshard_client.exchange import exchange
from docshard_client.model import Page
from docshard_client.retry import Retry
from docshard_client.session import Bearer, Job, Session
from docshard_client.steps import (
    Alone,
    Exchange,
    Fetching,
    Outcome,
    Pause,
    Sending,
    Step,
    Together,
    Work,
)

T = TypeVar("T")

TIMEOUT = 30.0
"""Seconds without a byte before a request counts as broken."""
_CHUNK_BYTES = 256 * 1024


class _Face:
    """What both have: the session."""

    def __init__(
        self, base_url: str, bearer: str | None, retry: Retry | None, max_staleness: int | None
    ) -> None:
        self._session = Session(
            base_url, Bearer(bearer), retry or Retry(), max_staleness=max_staleness
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session.base_url!r})"


class Blocking(_Face):
    """Carries steps out one after the other, in the thread of the caller."""

    def __init__(
        self,
        base_url: str,
        bearer: str | None = None,
        *,
        retry: Retry | None = None,
        max_staleness: int | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        super().__init__(base_url, bearer, retry, max_staleness)
        self._owns_http = http is None
        self._http = http or httpx.Client(timeout=TIMEOUT)
        self._alone = Lock()

    def run(self, job: Job[T]) -> T:
        """Carry a job through to its result."""
        return self._drive(job(self._session))

    def pages(self, first: Call[Page[T]]) -> Iterator[T]:
        """The items of this page and of all that follow."""
        call: Call[Page[T]] | None = first
        while call is not None:
            page = self._drive(exchange(self._session, call))
            yield from page.items
            call = following(call, page)

    def _drive(self, steps: Exchange[T]) -> T:
        go_on: Callable[[Any], Step] = steps.send
        given: Any = None
        while True:
            try:
                step = go_on(given)
            except StopIteration as done:
                result: T = done.value
                return result
            try:
                go_on, given = steps.send, self._perform(step)
            except BaseException as error:  # the exchange decides what becomes of it
                go_on, given = steps.throw, error

    def _perform(self, step: Step) -> Any:
        match step:
            case httpx.Request() | Sending() | Fetching():
                return self._ask(step)
            case Pause():
                return time.sleep(step.seconds)
            case Work():
                return step.function()
            case Together():
                return self._together(step)
            case Alone():
                with self._alone:
                    return self._drive(step.exchange)

    def _ask(self, step: httpx.Request | Sending | Fetching) -> Outcome:
        try:
            if isinstance(step, Fetching):
                return self._fetch(step)
            if isinstance(step, Sending):
                step = _with_body(step.request, self._body(step))
            return self._http.send(step, follow_redirects=False)
        except httpx.TransportError as error:
            return error

    def _body(self, step: Sending) -> Iterator[bytes]:
        for chunk in step.body():
            yield chunk
            step.moved(len(chunk))

    def _fetch(self, step: Fetching) -> httpx.Response:
        response = self._http.send(step.request, stream=True, follow_redirects=False)
        try:
            if not response.is_success:
                response.read()
                return response
            step.sink.begin(response)
            for chunk in response.iter_raw(_CHUNK_BYTES):
                step.sink.take(chunk)
                step.moved(len(chunk))
            return response
        finally:
            response.close()

    def _together(self, step: Together) -> None:
        with ThreadPoolExecutor(max(1, step.width), "docshard-transfer") as pool:
            futures = [pool.submit(self._drive, one) for one in step.exchanges]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                step.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def close(self) -> None:
        """Give the connections back."""
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


class Awaiting(_Face):
    """Carries steps out on the event loop; what touches files goes to threads."""

    def __init__(
        self,
        base_url: str,
        bearer: str | None = None,
        *,
        retry: Retry | None = None,
        max_staleness: int | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(base_url, bearer, retry, max_staleness)
        self._owns_http = http is None
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT)
        self._alone = asyncio.Lock()

    async def run(self, job: Job[T]) -> T:
        """Carry a job through to its result."""
        return await self._drive(job(self._session))

    async def pages(self, first: Call[Page[T]]) -> AsyncIterator[T]:
        """The items of this page and of all that follow."""
        call: Call[Page[T]] | None = first
        while call is not None:
            page = await self._drive(exchange(self._session, call))
            for item in page.items:
                yield item
            call = following(call, page)

    async def _drive(self, steps: Exchange[T]) -> T:
        go_on: Callable[[Any], Step] = steps.send
        given: Any = None
        while True:
            try:
                step = go_on(given)
            except StopIteration as done:
                result: T = done.value
                return result
            try:
                go_on, given = steps.send, await self._perform(step)
            except BaseException as error:  # the exchange decides what becomes of it
                go_on, given = steps.throw, error

    async def _perform(self, step: Step) -> Any:
        match step:
            case httpx.Request() | Sending() | Fetching():
                return await self._ask(step)
            case Pause():
                return await asyncio.sleep(step.seconds)
            case Work():
                return await asyncio.to_thread(step.function)
            case Together():
                return await self._together(step)
            case Alone():
                return await asyncio.shield(self._by_itself(step.exchange))

    async def _ask(self, step: httpx.Request | Sending | Fetching) -> Outcome:
        try:
            if isinstance(step, Fetching):
                return await self._fetch(step)
            if isinstance(step, Sending):
                step = _with_body(step.request, self._body(step))
            return await self._http.send(step, follow_redirects=False)
        except httpx.TransportError as error:
            return error

    async def _body(self, step: Sending) -> AsyncIterator[bytes]:
        chunks = step.body()
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk
            step.moved(len(chunk))

    async def _fetch(self, step: Fetching) -> httpx.Response:
        response = await self._http.send(step.request, stream=True, follow_redirects=False)
        try:
            if not response.is_success:
                await response.aread()
                return response
            await asyncio.to_thread(step.sink.begin, response)
            async for chunk in response.aiter_raw(_CHUNK_BYTES):
                await asyncio.to_thread(step.sink.take, chunk)
                step.moved(len(chunk))
            return response
        finally:
            await response.aclose()

    async def _together(self, step: Together) -> None:
        places = asyncio.Semaphore(max(1, step.width))

        async def carry(steps: Exchange[Any]) -> None:
            async with places:
                await self._drive(steps)

        try:
            async with asyncio.TaskGroup() as group:
                for one in step.exchanges:
                    group.create_task(carry(one))
        except BaseExceptionGroup as errors:
            step.stop()
            raise errors.exceptions[0] from None

    async def _by_itself(self, steps: Exchange[T]) -> T:
        async with self._alone:
            return await self._drive(steps)

    async def close(self) -> None:
        """Give the connections back."""
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()


def _with_body(
    request: httpx.Request, body: Iterator[bytes] | AsyncIterator[bytes]
) -> httpx.Request:
    # The headers name the length already, so the body is not sent in chunked coding.
    return httpx.Request(
        request.method,
        request.url,
        headers=request.headers,
        content=body,
        extensions=request.extensions,
    )

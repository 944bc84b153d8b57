"""The two faces of the library: `Docshard` blocks, `AsyncDocshard` awaits. Nothing else differs.

Each method is an operation of `operations.py`, wrapped: its parameters, types and documentation
are the operation's own.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from docshard_client import content_operations, operations
from docshard_client.call import Call, following
from docshard_client.exchange import Pause, Session, Step, exchange
from docshard_client.models import Page
from docshard_client.retry import Outcome, Retry

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT = 30.0
"""Seconds without a byte before a request counts as broken."""


def _blocking(build: Callable[P, Call[T]]) -> Callable[Concatenate["Docshard", P], T]:
    @wraps(build)
    def method(api: "Docshard", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return api.run(build(*args, **kwargs))

    return method


def _blocking_pages(
    build: Callable[P, Call[Page[T]]],
) -> Callable[Concatenate["Docshard", P], Iterator[T]]:
    @wraps(build)
    def method(api: "Docshard", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        call: Call[Page[T]] | None = build(*args, **kwargs)
        while call is not None:
            page = api.run(call)
            yield from page.items
            call = following(call, page)

    return method


def _awaited(
    build: Callable[P, Call[T]],
) -> Callable[Concatenate["AsyncDocshard", P], Coroutine[Any, Any, T]]:
    @wraps(build)
    async def method(api: "AsyncDocshard", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await api.run(build(*args, **kwargs))

    return method


def _awaited_pages(
    build: Callable[P, Call[Page[T]]],
) -> Callable[Concatenate["AsyncDocshard", P], AsyncIterator[T]]:
    @wraps(build)
    async def method(
        api: "AsyncDocshard", /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[T]:
        call: Call[Page[T]] | None = build(*args, **kwargs)
        while call is not None:
            page = await api.run(call)
            for item in page.items:
                yield item
            call = following(call, page)

    return method


class Docshard:
    """A blocking connection to the service, as one principal. Close it, or use `with`.

    `bearer` is an API key or an access token; without it call `login` first. An `http` client
    that was handed in stays the caller's to close. Every method raises ApiError when the service
    refuses and ConnectionFailed when it cannot be reached, both after patient retries.
    """

    def __init__(
        self,
        base_url: str,
        bearer: str | None = None,
        *,
        retry: Retry | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._session = Session(base_url, bearer, retry or Retry())
        self._owns_http = http is None
        self._http = http or httpx.Client(timeout=TIMEOUT)

    login = _blocking(operations.login)
    create_client = _blocking(operations.create_client)
    get_client = _blocking(operations.get_client)
    list_clients = _blocking_pages(operations.list_clients)
    get_placement = _blocking(operations.get_placement)
    create_api_key = _blocking(operations.create_api_key)
    create_document = _blocking(operations.create_document)
    put_content = _blocking(content_operations.put_content)
    create_upload = _blocking(content_operations.create_upload)
    complete_upload = _blocking(content_operations.complete_upload)
    abort_upload = _blocking(content_operations.abort_upload)
    promote_version = _blocking(content_operations.promote_version)
    purge_document = _blocking(operations.purge_document)
    batch_documents = _blocking(operations.batch_documents)
    get_content = _blocking(content_operations.get_content)
    get_document = _blocking(operations.get_document)
    update_document = _blocking(operations.update_document)
    delete_document = _blocking(operations.delete_document)
    restore_document = _blocking(operations.restore_document)
    list_documents = _blocking_pages(operations.list_documents)
    list_versions = _blocking_pages(content_operations.list_versions)
    list_audit_logs = _blocking_pages(operations.list_audit_logs)

    def run(self, call: Call[T]) -> T:
        """Carry one call through to its result."""
        steps = exchange(self._session, call)
        try:
            step = next(steps)
            while True:
                step = steps.send(self._perform(step))
        except StopIteration as done:
            result: T = done.value
            return result

    def _perform(self, step: Step) -> Outcome | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self._http.send(step, follow_redirects=False)
        except httpx.TransportError as error:
            return error

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


class AsyncDocshard:
    """The same as Docshard for asyncio: methods are awaited, lists are `async for`."""

    def __init__(
        self,
        base_url: str,
        bearer: str | None = None,
        *,
        retry: Retry | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._session = Session(base_url, bearer, retry or Retry())
        self._owns_http = http is None
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT)

    login = _awaited(operations.login)
    create_client = _awaited(operations.create_client)
    get_client = _awaited(operations.get_client)
    list_clients = _awaited_pages(operations.list_clients)
    get_placement = _awaited(operations.get_placement)
    create_api_key = _awaited(operations.create_api_key)
    create_document = _awaited(operations.create_document)
    put_content = _awaited(content_operations.put_content)
    create_upload = _awaited(content_operations.create_upload)
    complete_upload = _awaited(content_operations.complete_upload)
    abort_upload = _awaited(content_operations.abort_upload)
    promote_version = _awaited(content_operations.promote_version)
    purge_document = _awaited(operations.purge_document)
    batch_documents = _awaited(operations.batch_documents)
    get_content = _awaited(content_operations.get_content)
    get_document = _awaited(operations.get_document)
    update_document = _awaited(operations.update_document)
    delete_document = _awaited(operations.delete_document)
    restore_document = _awaited(operations.restore_document)
    list_documents = _awaited_pages(operations.list_documents)
    list_versions = _awaited_pages(content_operations.list_versions)
    list_audit_logs = _awaited_pages(operations.list_audit_logs)

    async def run(self, call: Call[T]) -> T:
        """Carry one call through to its result."""
        steps = exchange(self._session, call)
        try:
            step = next(steps)
            while True:
                step = steps.send(await self._perform(step))
        except StopIteration as done:
            result: T = done.value
            return result

    async def _perform(self, step: Step) -> Outcome | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._http.send(step, follow_redirects=False)
        except httpx.TransportError as error:
            return error

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

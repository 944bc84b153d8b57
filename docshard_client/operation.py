"""How an operation becomes a method: declared once, it blocks on one face and awaits on the other.

    class Documents:
        @operation
        def get_document(self, client_id: UUID, document_id: UUID) -> Call[Document]: ...

makes `Docshard().get_document(…)` a Document and `AsyncDocshard().get_document(…)` an awaitable of
one, as the type checker sees it too. `self` is not used: what is declared is the same for everyone.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial, wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from docshard_client.call import Call
from docshard_client.drivers import Awaiting, Blocking
from docshard_client.exchange import exchange
from docshard_client.model import Page
from docshard_client.session import Job

P = ParamSpec("P")
T = TypeVar("T")


class Method(Generic[P, T]):
    """A method of both faces that does one job. On the class itself: this object."""

    def __init__(self, build: Callable[Concatenate[Any, P], Job[T]], shown: Callable[..., Any]):
        self._build = build
        self._shown = shown
        self.__doc__ = shown.__doc__

    def job(self, *args: P.args, **kwargs: P.kwargs) -> Job[T]:
        """What a call with these arguments would do."""
        return self._build(None, *args, **kwargs)

    @overload
    def __get__(self, api: None, owner: type) -> Self: ...
    @overload
    def __get__(self, api: Blocking, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, api: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, api: Blocking | Awaiting | None, owner: type) -> Any:
        if api is None:
            return self

        @wraps(self._shown)
        def method(api: Blocking | Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            return api.run(self.job(*args, **kwargs))

        return MethodType(method, api)


class Pages(Generic[P, T]):
    """A method of both faces that iterates over a list, fetching pages as they are needed."""

    def __init__(self, build: Callable[Concatenate[Any, P], Call[Page[T]]]):
        self._build = build
        self.__doc__ = build.__doc__

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[Page[T]]:
        """The request for the first page."""
        return self._build(None, *args, **kwargs)

    @overload
    def __get__(self, api: None, owner: type) -> Self: ...
    @overload
    def __get__(self, api: Blocking, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, api: Awaiting, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, api: Blocking | Awaiting | None, owner: type) -> Any:
        if api is None:
            return self

        @wraps(self._build)
        def method(api: Blocking | Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> Any:
            return api.pages(self.call(*args, **kwargs))

        return MethodType(method, api)


def operation(build: Callable[Concatenate[Any, P], Call[T]]) -> Method[P, T]:
    """Declare an operation of the service, named by its operationId."""

    def job(_: Any, /, *args: P.args, **kwargs: P.kwargs) -> Job[T]:
        return partial(exchange, call=build(None, *args, **kwargs))

    return Method(job, build)


def paged(build: Callable[Concatenate[Any, P], Call[Page[T]]]) -> Pages[P, T]:
    """Declare an operation that answers pages."""
    return Pages(build)


def composed(build: Callable[Concatenate[Any, P], Job[T]]) -> Method[P, T]:
    """Declare a method that takes several operations."""
    return Method(build, build)

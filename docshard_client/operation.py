"""How an operation becomes a method: declared once, it blocks on one face and awaits on the other.

    class Documents:
        @operation
        def get_document(self, client_id: UUID, document_id: UUID) -> Call[Document]: ...

makes `Docshard().get_document(…)` a Document and `AsyncDocshard().get_document(…)` an awaitable of
one, as the type checker sees it too. `self` is not used: what is declared is the same for everyone.
"""

import inspect
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
        self._method = _looking_like(shown, self._run)
        self.__doc__ = shown.__doc__

    def _run(self, api: Blocking | Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return api.run(self.job(*args, **kwargs))

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
        return self if api is None else MethodType(self._method, api)


class Pages(Generic[P, T]):
    """A method of both faces that iterates over a list, fetching pages as they are needed."""

    def __init__(self, build: Callable[Concatenate[Any, P], Call[Page[T]]]):
        self._build = build
        self._method = _looking_like(build, self._pages)
        self.__doc__ = build.__doc__

    def _pages(self, api: Blocking | Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return api.pages(self.call(*args, **kwargs))

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
        return self if api is None else MethodType(self._method, api)


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


def _looking_like(shown: Callable[..., Any], does: Callable[..., Any]) -> Callable[..., Any]:
    """A function that looks like what was declared, but for what it returns."""

    @wraps(shown)
    def method(api: object, /, *args: Any, **kwargs: Any) -> Any:
        return does(api, *args, **kwargs)

    declared = inspect.signature(shown)
    # What was declared returns a Call; what that becomes depends on the face.
    vars(method)["__signature__"] = declared.replace(return_annotation=declared.empty)
    return method

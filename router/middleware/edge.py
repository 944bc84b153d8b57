"""The outermost layer: what every answer carries, and the last resort when something breaks."""

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final

import uuid_utils
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from router.context import SCOPE_KEY, RequestContext
from router.problems import problem_response
from router.watch import Watch
from services.errors import InternalError, Overloaded, RequestTimeout
from services.logs.about import About, speak_of
from services.served import collect_served
from services.timing import WAIT, collect, measured

log = logging.getLogger("docshard.router")

Headers = list[tuple[bytes, bytes]]

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_DEFAULTS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
# A body that was refused unread is swallowed up to here: closing a socket with unread bytes
# resets the connection, and many senders would then never see why they were refused.
LINGER_BYTES: Final = 256 * 1024
LINGER_SECONDS: Final = 1.0


# Asked by those who decide whether we are overloaded.
_ALWAYS_SERVED: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class EdgeMiddleware:
    """Request-Id, Server-Timing, security headers, and 500 without details.

    At most `max_running` requests are served at a time; more are refused at once (I9). Who waits
    for a body is not served meanwhile: senders that dawdle must not keep others out. As many may
    wait; beyond that those end that have waited longest, and not those that came last.
    """

    def __init__(self, app: ASGIApp, max_running: int, watch: Watch) -> None:
        self._app = app
        self._max_running = max_running
        self._watch = watch
        self._waiting: OrderedDict[asyncio.Timeout, None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = scope[SCOPE_KEY] = _context(scope["headers"])
        speak_of(context.about)
        self._watch.begins(context)
        collect(context.spent)
        collect_served(context.served)
        body = _Body(scope["headers"], receive, self._while_waiting, self._idle)
        answer = _Answer(context, body, send)
        self._watch.running += 1
        try:
            if self._watch.running > self._max_running and scope["path"] not in _ALWAYS_SERVED:
                await problem_response(scope, Overloaded())(scope, receive, answer.send)
            else:
                await self._app(scope, body.receive, answer.send)
        except ClientDisconnect:
            log.info("the caller went away")
        except Exception:
            log.exception("a request failed")
            if not answer.started:
                await problem_response(scope, InternalError())(scope, receive, answer.send)
        finally:
            self._watch.running -= 1
            self._watch.answered(scope, context)

    async def _while_waiting(self, receive: Receive) -> Message:
        """The next part of a body.

        Raises:
            RequestTimeout: too many wait, and this one has waited longest.
        """
        limit = asyncio.timeout(None)
        try:
            with self._idle(), measured(WAIT):
                async with limit:
                    self._waiting[limit] = None
                    self._end_longest()
                    return await receive()
        except TimeoutError:
            raise RequestTimeout from None
        finally:
            self._waiting.pop(limit, None)

    @contextmanager
    def _idle(self) -> Iterator[None]:
        """Who only waits for the other side takes nobody's place."""
        self._watch.running -= 1
        try:
            yield
        finally:
            self._watch.running += 1

    def _end_longest(self) -> None:
        if len(self._waiting) > self._max_running:
            longest, _ = self._waiting.popitem(last=False)
            longest.reschedule(asyncio.get_running_loop().time())


class _Body:
    """Watches whether the whole body was taken from the connection."""

    def __init__(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        receive: Receive,
        while_waiting: Callable[[Receive], Awaitable[Message]],
        idle: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._receive = receive
        self._while_waiting = while_waiting
        self._idle = idle
        self.complete = not any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in headers
        )

    async def receive(self) -> Message:
        if self.complete:  # what comes now is that the caller went away
            return await self._receive()
        return await self._while_waiting(self._next)

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self.complete = True
        return message

    async def linger(self) -> None:
        """Swallow what is still coming, within bounds."""
        taken = 0
        with self._idle(), suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self.complete and taken < LINGER_BYTES:
                    taken += len((await self._next()).get("body", b""))


class _Answer:
    """Completes the headers of one answer."""

    def __init__(self, context: RequestContext, body: _Body, send: Send) -> None:
        self._context = context
        self._body = body
        self._send = send
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self._context.answer(message["status"])
            message["headers"] = self._completed(message.get("headers", []))
        elif not self._body.complete and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._body.linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    def _completed(self, headers: Iterable[tuple[bytes, bytes]]) -> Headers:
        completed = [*headers, *self._context.headers, *self._context.served_by()]
        present = {name for name, _ in completed}
        completed.extend(pair for pair in _DEFAULTS if pair[0] not in present)
        completed.append((b"request-id", self._context.request_id.encode("ascii")))
        completed.append((b"server-timing", self._context.server_timing))
        if not self._body.complete:
            completed.append((b"connection", b"close"))
        return completed


def _context(headers: Iterable[tuple[bytes, bytes]]) -> RequestContext:
    for name, value in headers:
        if name == b"request-id" and _REQUEST_ID.fullmatch(value):
            return RequestContext(About(value.decode("ascii")), own_id=False)
    return RequestContext(About(str(uuid_utils.uuid7())))

"""HTTP/1.1 with bounds that uvicorn does not have: on the head of a request, and on slow readers.

Without them whoever opens connections and sends a byte now and then keeps them for ever; a head,
or trailers, without an end fill our memory; and so do answers that nobody takes, since closing a
connection waits until they are taken (I9).

The places for connections are bounded, too. uvicorn refuses requests when they are taken, whoever
took them; here whoever has waited longest without a request gives way to who comes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import ClassVar, Final

import orjson
import uuid_utils
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from router.problems import MEDIA_TYPE, problem_document
from services.errors import HeadersTooLarge

ENDLESS: Final = "docshard.endless"
"""Set in the scope of a request whose answer ends only with its reader: a stopping server must not
wait for that one."""

_REFUSAL = (
    "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: {type}\r\n"
    "content-length: {length}\r\nrequest-id: {request_id}\r\nconnection: close\r\n\r\n"
)


class DeadlineProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are not there in time, or have no end;
    one whose reader takes too little; and the idlest one when all places are taken."""

    head_seconds: ClassVar[float] = 10.0
    head_bytes: ClassVar[int] = 64 * 1024
    """Of heads, trailers and extensions of chunks; twice as much is never taken."""
    send_seconds: ClassVar[float] = 60.0
    send_bytes: ClassVar[int] = 60 * 4 * 1024
    """A reader who is behind takes so much in each such time, or is dropped."""
    unsent_bytes: ClassVar[int] = 256 * 1024**2
    """What all answers of one process that wait for readers may take; the longest waiting go."""

    _behind: ClassVar[OrderedDict["DeadlineProtocol", None]] = OrderedDict()
    _unheard: ClassVar[OrderedDict["DeadlineProtocol", None]] = OrderedDict()
    """Whose head is due, the longest awaited first."""
    _resting: ClassVar[OrderedDict["DeadlineProtocol", None]] = OrderedDict()
    """Which are kept for a next request, those that have rested longest first."""
    _deadline: asyncio.TimerHandle | None = None
    _reader_deadline: asyncio.TimerHandle | None = None
    _unsent = 0
    _unfinished = 0
    _understood = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base, which narrows its own base
        """A connection came: its first request is due."""
        super().connection_made(transport)
        self._expect_head()
        self._make_place()

    def data_received(self, data: bytes) -> None:
        """Bytes came; between two requests they begin the next one, which is due then."""
        if self.cycle is None or self.cycle.response_complete:
            self._expect_head()
        for piece in _pieces(data, self.head_bytes):
            self._understood = False
            super().data_received(piece)
            if self.transport.is_closing():
                return
            self._unfinished = 0 if self._understood else self._unfinished + len(piece)
            if self._unfinished > self.head_bytes:
                self._refuse_head()
                return

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._understood = True
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body is there: whoever reads it has limits of their own."""
        self._understood = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        self._understood = True
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The reader is behind."""
        super().pause_writing()
        self._expect_reader()

    def resume_writing(self) -> None:
        """The reader has caught up."""
        super().resume_writing()
        self._stop_expecting_reader()

    def on_response_complete(self) -> None:
        """The answer is written, which does not say that it is taken."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._expect_reader()
        if self.cycle.response_complete:  # and no further request has been sent ahead
            self._resting[self] = None

    def shutdown(self) -> None:
        """The server stops: a request under way may finish, unless it never would."""
        super().shutdown()
        if self.cycle is not None and self.cycle.scope.get(ENDLESS):
            self.transport.close()  # the answer hears that its reader is gone

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._stop_waiting()
        self._resting.pop(self, None)
        super().connection_lost(exc)
        self._stop_expecting_reader()

    def _expect_head(self) -> None:
        # Not prolonged by what trickles in: the deadline is for the whole head.
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._give_up)
            self._resting.pop(self, None)
            self._unheard[self] = None

    def _stop_waiting(self) -> None:
        self._unheard.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()

    def _make_place(self) -> None:
        """Of all who wait the longest goes: a head that does not end before a line that was kept,
        and never one whose request is under way. Whoever sends a whole head is in neither group
        for longer than reading it takes, so a crowd that dawdles keeps nobody out."""
        if self.limit_concurrency is None or len(self.connections) < self.limit_concurrency:
            return
        for idle in (self._unheard, self._resting):
            longest = next(iter(idle), self)
            if longest is not self:
                longest._give_way()
                return

    def _give_way(self) -> None:
        # Counted out at once: the loop tells of the loss later, and more may come meanwhile.
        self.connections.discard(self)
        self._stop_waiting()
        self._resting.pop(self, None)
        self.transport.close()

    def _refuse_head(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()  # another answer is under way
            return
        request_id = str(uuid_utils.uuid7())
        body = orjson.dumps(problem_document(HeadersTooLarge(), "", request_id))
        head = _REFUSAL.format(type=MEDIA_TYPE, length=len(body), request_id=request_id)
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def _expect_reader(self) -> None:
        if self._reader_deadline is None:
            self._await_reader()
            self._behind[self] = None
            self._make_room()

    def _await_reader(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._reader_deadline = self.loop.call_later(self.send_seconds, self._judge_reader)

    def _judge_reader(self) -> None:
        self._reader_deadline = None
        left = self.transport.get_write_buffer_size()
        if left > 0 and self._unsent - left < self.send_bytes:
            self.transport.abort()
        elif left:
            self._await_reader()
        else:
            self._stop_expecting_reader()

    def _make_room(self) -> None:
        unsent = {one: one.transport.get_write_buffer_size() for one in self._behind}
        excess = sum(unsent.values()) - self.unsent_bytes
        for one, size in unsent.items():
            if excess <= 0:
                return
            one.transport.abort()
            excess -= size

    def _stop_expecting_reader(self) -> None:
        self._behind.pop(self, None)
        if self._reader_deadline is not None:
            self._reader_deadline.cancel()
            self._reader_deadline = None


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))

"""Reading one blob as a stream, a chunk at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from services.blobs.s3 import S3Calls

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of a blob: bytes `first` to `last`, both included.

    Without `last` it goes to the end; without `first` it is the final `last` bytes.
    """

    first: int | None
    last: int | None

    def __str__(self) -> str:
        first = "" if self.first is None else self.first
        last = "" if self.last is None else self.last
        return f"bytes={first}-{last}"


@dataclass(frozen=True, slots=True)
class Extent:
    """What a reader gives: bytes `first` to `last`, both included, of `total`."""

    first: int
    last: int
    total: int

    @property
    def length(self) -> int:
        """How many bytes that is."""
        return self.last - self.first + 1


class Body(Protocol):
    """What boto3 gives to read from."""

    def read(self, amt: int | None = None) -> bytes:
        """Give up to `amt` bytes; none at the end."""

    def close(self) -> None:
        """Give the connection up."""


class BlobReader:
    """The bytes of a blob, once. `close` it whether or not it was read to the end."""

    def __init__(
        self, s3: S3Calls, body: Body, extent: Extent, on_close: Callable[[], None]
    ) -> None:
        self.extent = extent
        self._s3 = s3
        self._body = body
        self._on_close = on_close
        self._reading: asyncio.Task[bytes] | None = None
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give chunks of at most 256 KiB.

        Raises:
            StorageUnavailable: the store went away in the middle.
        """
        try:
            while chunk := await self._read():
                yield chunk
        finally:
            self.close()

    def close(self) -> None:
        """Let the connection go. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._reading is None or self._reading.done():
            self._let_go()
        else:
            # A thread still reads from it: nothing may be closed under its hands.
            self._reading.add_done_callback(lambda _: self._let_go())

    async def _read(self) -> bytes:
        self._reading = asyncio.ensure_future(self._s3.run(self._body.read, CHUNK_BYTES))
        return await asyncio.shield(self._reading)

    def _let_go(self) -> None:
        if self._reading is not None and not self._reading.cancelled():
            self._reading.exception()  # seen: the reader has gone, nobody else will ask
        self._body.close()
        self._on_close()

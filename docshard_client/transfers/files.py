"""Files as transfers see them: measured, read in slices, written beside their place. Does I/O."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx

from docshard_client.errors import FileChanged

_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Measured:
    """A file's length in bytes and its SHA-256 in hexadecimal."""

    size: int
    checksum_sha256: str


def measure(path: Path) -> Measured:
    """Read a file once, in flat memory."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return Measured(file.tell(), digest.hexdigest())


def slice_of(path: Path, first: int, size: int) -> Iterator[bytes]:
    """Bytes `first` and following of a file, `size` of them.

    Raises FileChanged when the file is shorter.
    """
    with path.open("rb") as file:
        file.seek(first)
        left = size
        while left:
            chunk = file.read(min(left, _CHUNK_BYTES))
            if not chunk:
                raise FileChanged(f"{path} became shorter while it was sent")
            left -= len(chunk)
            yield chunk


class Arriving:
    """A file on its way: it grows beside its place and takes it when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f".docshard-{uuid4().hex}.part")
        self._file = self._part.open("xb")
        self._digest = hashlib.sha256()
        self.position = 0
        """Bytes that are there."""

    def begin(self, response: httpx.Response) -> None:
        """An answer of 206 goes on where we are; any other begins anew."""
        expected = f"bytes {self.position}-"
        if response.status_code == 206:
            if response.headers.get("Content-Range", "").startswith(expected):
                return
            raise FileChanged(f"asked for {expected}, got {response.headers.get('Content-Range')}")
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self.position = 0

    def take(self, chunk: bytes) -> None:
        """The next bytes."""
        self._file.write(chunk)
        self._digest.update(chunk)
        self.position += len(chunk)

    def settle(self, checksum_sha256: str) -> None:
        """Take the place.

        Raises FileChanged when these are not the bytes, and nothing has happened then.
        """
        if self._digest.hexdigest() != checksum_sha256:
            raise FileChanged(f"what arrived for {self._path} has another SHA-256 than the version")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._path)

    def close(self) -> None:
        """Leave nothing behind but what has taken its place."""
        self._file.close()
        self._part.unlink(missing_ok=True)

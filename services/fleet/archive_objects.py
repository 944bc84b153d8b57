"""One object of the archive: a tenant's month, or the global log's, written, read again, recorded.

Rows are read a page at a time, packed and sent on as they come: memory holds a page and a part of
the upload, however long the month was. Packing the same rows gives the same bytes, so an object
that was written twice is still one.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from global_db.archives import Archive, ArchivedRow
from services.blobs.store import BlobStore, Expected
from services.errors import StorageUnavailable
from services.fleet import audit_lines
from shards.archives import StoredObject

PREFIX = "audit-archive"
PAGE = 1_000
_LARGEST = 48 * 1024**3  # what S3 takes in parts of our size

Place = tuple[datetime, UUID]
Pages = Callable[[Place | None], Awaitable[list[ArchivedRow]]]
"""Gives the next rows of the object, from behind a place."""


def key_of(month: date, archive_id: UUID, client_id: UUID | None) -> str:
    """Where the object lies: by tenant first, so that a tenant's can be found and erased."""
    owner = "global" if client_id is None else str(client_id)
    return f"{PREFIX}/{owner}/{month:%Y-%m}/{archive_id}.jsonl.gz"


@dataclass(slots=True)
class Tally:
    """What went by."""

    rows: int = 0
    first_seq: int | None = None
    last_seq: int | None = None

    def add(self, seq: int) -> None:
        """Count a row."""
        self.rows += 1
        self.first_seq = seq if self.first_seq is None else min(seq, self.first_seq)
        self.last_seq = seq if self.last_seq is None else max(seq, self.last_seq)


async def read_again(blobs: BlobStore, key: str) -> StoredObject:
    """Read an object to its end, prove each of its rows, and tell what it holds.

    Memory holds a chunk and what it unpacks to.

    Raises:
        BrokenRow: a row is not what was written, or the object is none of ours.
        BlobAbsent, StorageUnavailable.
    """
    digest, size, tally = hashlib.sha256(), 0, Tally()
    reader, unpacker, rest = audit_lines.Reader(), zlib.decompressobj(wbits=31), b""
    async for chunk in await blobs.open_stream(key):
        digest.update(chunk)
        size += len(chunk)
        try:
            *lines, rest = (rest + unpacker.decompress(chunk)).split(b"\n")
            for line in lines:
                if (row := reader.read(line)) is not None:
                    tally.add(row["seq"])
        except (zlib.error, ValueError, LookupError, TypeError) as error:
            raise audit_lines.BrokenRow(f"it cannot be read: {error!r}") from error
    return StoredObject(
        tally.rows, size, digest.digest(), tally.first_seq or 0, tally.last_seq or 0
    )


@dataclass(frozen=True, slots=True)
class ArchiveObject:
    """An object to be: whose rows, and where they come from."""

    archive: Archive
    client_id: UUID | None
    pages: Pages
    tally: Tally = field(default_factory=Tally)

    @property
    def key(self) -> str:
        """Where it lies."""
        return key_of(self.archive.month, self.archive.id, self.client_id)

    async def check(self) -> int:
        """Compute every row's hashes again and write nothing; answers how many rows there are.

        Raises:
            BrokenRow.
        """
        async for row in self._rows():
            audit_lines.check(row)
        return self.tally.rows

    async def write(self, blobs: BlobStore) -> StoredObject:
        """Write it, and read it again.

        Raises:
            BrokenRow: nothing stays in the store.
            StorageUnavailable: also when what was read is not what was written.
        """
        written = await blobs.put_stream(
            self.key, self._packed(), "application/gzip", Expected(_LARGEST)
        )
        found = await self._digest(blobs)
        if found != (written.size, bytes.fromhex(written.sha256_hex)):
            raise StorageUnavailable(f"{self.key} reads otherwise than it was written.")
        tally = self.tally
        return StoredObject(tally.rows, *found, tally.first_seq or 0, tally.last_seq or 0)

    async def _digest(self, blobs: BlobStore) -> tuple[int, bytes]:
        digest, size = hashlib.sha256(), 0
        async for chunk in await blobs.open_stream(self.key):
            digest.update(chunk)
            size += len(chunk)
        return size, digest.digest()

    async def _packed(self) -> AsyncIterator[bytes]:
        packer = zlib.compressobj(wbits=31)
        yield packer.compress(
            audit_lines.first_line(self.archive.id, self.client_id, self.archive.month)
        )
        async for row in self._rows():
            if packed := packer.compress(audit_lines.line(row)):
                yield packed
        yield packer.flush()

    async def _rows(self) -> AsyncIterator[ArchivedRow]:
        place: Place | None = None
        while rows := await self.pages(place):
            for row in rows:
                self.tally.add(row.seq or 0)
                yield row
            place = rows[-1].created_at, rows[-1].id

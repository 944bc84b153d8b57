"""Contents of a tenant of then: where they lie now, and brought back where they do not."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass

from services.blobs.store import BlobAbsent, BlobReader, BlobStore, Expected
from services.errors import ChecksumMismatch, ContentTooLarge, ServiceError
from services.fleet.portability.layout import NamedBlob


@dataclass(frozen=True, slots=True)
class Contents:
    """The bucket, and copies of it elsewhere."""

    store: BlobStore
    copies: Sequence[BlobStore] = ()

    async def places(self, blob: NamedBlob) -> AsyncGenerator[BlobReader]:
        """Every object that may be this blob, the nearest first; each is closed after its turn.

        A copy that does not answer is passed by.

        Raises:
            StorageUnavailable: the bucket does not answer.
        """
        try:
            with closing(await self.store.open_stream(blob.s3_key)) as reader:
                yield reader
        except BlobAbsent:
            pass
        async for earlier in self.store.open_earlier(blob.s3_key, blob.size):
            with closing(earlier):
                yield earlier
        for copy in self.copies:
            try:
                reader = await copy.open_stream(blob.s3_key)
            except (BlobAbsent, ServiceError):
                continue
            with closing(reader):
                yield reader

    async def ensure(self, blob: NamedBlob) -> bool:
        """Let the blob be in the bucket (I8); False when its bytes are nowhere.

        Raises:
            StorageUnavailable.
        """
        there = await self.store.head(blob.s3_key)
        if there is not None and there.size == blob.size and _may_be(blob, there.sha256):
            return True
        expected = Expected(blob.size, blob.sha256)
        async with aclosing(self.places(blob)) as places:
            async for reader in places:
                try:
                    await self.store.put_stream(
                        blob.s3_key, aiter(reader), blob.mime_type, expected
                    )
                except (ChecksumMismatch, ContentTooLarge):
                    continue
                return True
        return False


def _may_be(blob: NamedBlob, digest: bytes | None) -> bool:
    return digest is None or digest.hex() == blob.sha256

"""The store of blobs: S3 buckets, whose objects never change once they are there.

Keys are fresh for each upload and recorded in the database before anything is written, so that
what a killed process leaves behind can be found and discarded.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.blobs.bucket_setup import Step, carry_out, look
from services.blobs.direct import DirectUploads, full_sha256
from services.blobs.disposition import attachment
from services.blobs.earlier import EarlierVersions
from services.blobs.reader import BlobReader, ByteRange, Extent
from services.blobs.s3 import BlobAbsent, S3Calls
from services.blobs.upload import BlobUpload, Expected, Stored
from services.blobs.whole import WholePrefixes
from services.errors import RangeNotSatisfiable, ServiceError
from services.s3_settings import S3Settings
from services.threads import Slots

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

__all__ = ["BlobAbsent", "BlobInfo", "BlobReader", "BlobStore", "ByteRange", "Expected", "Stored"]

_log = logging.getLogger(__name__)
_UNDO_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What the store says of a blob without giving it.

    `sha256` only when the store has computed it over the whole.
    """

    size: int
    mime_type: str
    sha256: bytes | None = None


class BlobStore:
    """All use of the object store. Errors are `StorageUnavailable` and `Overloaded` throughout."""

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._s3 = S3Calls(settings)
        self.direct = DirectUploads(self._s3, settings.max_verifications)
        self.whole = WholePrefixes(self._s3)
        self._earlier = EarlierVersions(self._s3)
        self._uploads = Slots("uploads", settings.max_uploads)
        self._downloads = Slots("downloads", settings.max_downloads)
        self._undoing: set[asyncio.Task[None]] = set()

    async def ensure_bucket(self) -> list[Step]:
        """Create the bucket when it is absent, and give it its settings."""
        return await carry_out(self._s3, await look(self._s3, self._settings))

    async def check(self) -> None:
        """Ask whether the store answers and has our bucket."""
        await self._s3.run(self._s3.client.head_bucket, Bucket=self._s3.bucket)

    async def put_stream(
        self, key: str, chunks: AsyncIterator[bytes], mime_type: str, expected: Expected
    ) -> Stored:
        """Write a blob as its bytes arrive, holding 5 MiB of them at most.

        Whatever goes wrong, and also when the caller is cancelled, nothing stays in the store;
        an error of `chunks` itself passes through. Only when the store is away, too, something
        may stay: `discard` it later.

        Raises:
            ContentTooLarge, ChecksumMismatch.
        """
        with self._uploads.one():
            upload = BlobUpload(self._s3, key, mime_type, expected)
            try:
                async for chunk in chunks:
                    await upload.write(chunk)
                return await upload.finish()
            except BaseException:
                if upload.touched:
                    await self._undo(upload, key)
                raise

    async def open_stream(self, key: str, byte_range: ByteRange | None = None) -> BlobReader:
        """Open a blob for reading; the reader has to be closed.

        Raises:
            BlobAbsent.
            RangeNotSatisfiable: with the blob's size.
        """
        self._downloads.take()
        try:
            answer = await self._get(key, byte_range)
        except BaseException:
            self._downloads.release()
            raise
        return BlobReader(self._s3, answer["Body"], _extent(answer), self._downloads.release)

    async def open_earlier(self, key: str, size: int) -> AsyncIterator[BlobReader]:
        """Open each version of a blob that is not current, the newest first; close each.

        A bucket that keeps none gives nothing.
        """
        for version in await self._earlier.find(key, size):
            self._downloads.take()
            try:
                reader = await self._earlier.open(key, version, self._downloads.release)
            except BaseException:
                self._downloads.release()
                raise
            yield reader

    def presigned_get(self, key: str, filename: str, mime_type: str, seconds: int) -> str:
        """Give an address from which anybody may download the blob for so long, as a file.

        Made here, without asking the store.
        """
        return self._s3.client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._s3.bucket,
                "Key": key,
                "ResponseContentDisposition": attachment(filename),
                "ResponseContentType": mime_type,
                "ResponseCacheControl": "private, no-store",
            },
            ExpiresIn=seconds,
        )

    async def head(self, key: str) -> BlobInfo | None:
        """Ask for a blob's size, type and digest; None when there is none."""
        try:
            answer = await self._s3.run(
                self._s3.client.head_object,
                Bucket=self._s3.bucket,
                Key=key,
                ChecksumMode="ENABLED",
            )
        except BlobAbsent:
            return None
        return BlobInfo(answer["ContentLength"], answer["ContentType"], full_sha256(answer))

    async def delete(self, key: str) -> None:
        """Remove a blob; one that is absent is no error."""
        await self._s3.run(self._s3.client.delete_object, Bucket=self._s3.bucket, Key=key)

    async def list_keys(self, prefix: str) -> AsyncGenerator[list[str]]:
        """Give the keys of all blobs that begin so, in order, up to a thousand at a time."""
        client, bucket, after = self._s3.client, self._s3.bucket, ""
        while True:
            page = await self._s3.run(
                client.list_objects_v2, Bucket=bucket, Prefix=prefix, StartAfter=after
            )
            keys = [entry["Key"] for entry in page.get("Contents", [])]
            if keys:
                yield keys
            if not page.get("IsTruncated") or not keys:
                return
            after = keys[-1]

    async def list_folders(self, prefix: str) -> list[str]:
        """Give what stands between the prefix and the next `/`, in order."""
        client, bucket = self._s3.client, self._s3.bucket
        found: list[str] = []
        page = await self._s3.run(
            client.list_objects_v2, Bucket=bucket, Prefix=prefix, Delimiter="/"
        )
        while True:
            folders = (entry["Prefix"] for entry in page.get("CommonPrefixes", []))
            found += [folder.removeprefix(prefix).rstrip("/") for folder in folders]
            if not page.get("IsTruncated"):
                return found
            page = await self._s3.run(
                client.list_objects_v2,
                Bucket=bucket,
                Prefix=prefix,
                Delimiter="/",
                ContinuationToken=page["NextContinuationToken"],
            )

    async def abort_multipart(self, key: str) -> None:
        """Drop every unfinished multipart upload of this key."""
        client, bucket = self._s3.client, self._s3.bucket
        answer = await self._s3.run(client.list_multipart_uploads, Bucket=bucket, Prefix=key)
        for upload in answer.get("Uploads", []):
            if upload["Key"] == key:
                with contextlib.suppress(BlobAbsent):
                    await self._s3.run(
                        client.abort_multipart_upload,
                        Bucket=bucket,
                        Key=key,
                        UploadId=upload["UploadId"],
                    )

    async def discard(self, key: str) -> None:
        """Remove whatever there is under a key, finished or not. May be repeated."""
        await self.abort_multipart(key)
        await self.delete(key)

    async def close(self) -> None:
        """Wait for what is being undone, then end threads and connections."""
        if self._undoing:
            await asyncio.wait(self._undoing, timeout=_UNDO_SECONDS)
        await asyncio.to_thread(self._s3.close)

    async def _get(self, key: str, byte_range: ByteRange | None) -> "GetObjectOutputTypeDef":
        client, bucket = self._s3.client, self._s3.bucket
        if byte_range is None:
            return await self._s3.run(client.get_object, Bucket=bucket, Key=key)
        try:
            return await self._s3.run(
                client.get_object, Bucket=bucket, Key=key, Range=str(byte_range)
            )
        except RangeNotSatisfiable as error:
            info = await self.head(key)
            if info is None:
                raise BlobAbsent(key) from error
            raise RangeNotSatisfiable(info.size) from error

    async def _undo(self, upload: BlobUpload, key: str) -> None:
        """Discard what an upload left; a caller in haste does not stop it, nor waits for ever."""
        task = asyncio.create_task(self._discard_quietly(upload, key), name=f"undo {key}")
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)
        await asyncio.wait({task}, timeout=_UNDO_SECONDS)

    async def _discard_quietly(self, upload: BlobUpload, key: str) -> None:
        await upload.settled()
        try:
            await self.discard(key)
        except ServiceError:
            _log.warning("%s may be left in the object store: the sweep will find it", key)


def _extent(answer: "GetObjectOutputTypeDef") -> Extent:
    length = answer["ContentLength"]
    content_range = answer.get("ContentRange")
    if not content_range:
        return Extent(0, length - 1, length)
    place, total = content_range.removeprefix("bytes ").split("/")
    first, last = place.split("-")
    return Extent(int(first), int(last), int(total))

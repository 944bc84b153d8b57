"""Writing one blob from a stream, in the memory of one part, leaving nothing when it fails."""

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from services.blobs.s3 import S3Calls
from services.errors import ChecksumMismatch, ContentTooLarge

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import CompletedPartTypeDef

T = TypeVar("T")

PART_BYTES = 5 * 1024**2
"""The least that S3 takes for a part. 10,000 of them are 48 GiB."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written: length in bytes, SHA-256 in hex."""

    size: int
    sha256_hex: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What the bytes have to be: at most `limit` bytes, and with this SHA-256 when it is known."""

    limit: int
    sha256_hex: str | None = None


class BlobUpload:
    """Up to one part goes by a single PUT, more by a multipart upload; both appear at the end."""

    def __init__(self, s3: S3Calls, key: str, mime_type: str, expected: Expected) -> None:
        self._s3 = s3
        self._key = key
        self._mime_type = mime_type
        self._expected = expected
        self._buffer = bytearray()
        self._digest = hashlib.sha256()
        self._size = 0
        self._upload_id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []
        self._call: asyncio.Future[Any] | None = None

    @property
    def touched(self) -> bool:
        """Whether the store may hold anything of this blob."""
        return self._call is not None

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            ContentTooLarge, StorageUnavailable, Overloaded.
        """
        self._size += len(chunk)
        if self._size > self._expected.limit:
            raise ContentTooLarge(f"The content is longer than {self._expected.limit} bytes.")
        self._digest.update(chunk)
        rest = memoryview(chunk)
        while rest:
            room = PART_BYTES - len(self._buffer)
            self._buffer += rest[:room]
            rest = rest[room:]
            # A full part waits for a byte more: one that fits exactly needs no multipart upload.
            if rest:
                await self._send_part()

    async def finish(self) -> Stored:
        """Make the blob appear.

        Raises:
            ChecksumMismatch: before anything appears.
            StorageUnavailable, Overloaded.
        """
        stored = Stored(self._size, self._digest.hexdigest())
        wanted = self._expected.sha256_hex
        if wanted is not None and wanted.lower() != stored.sha256_hex:
            raise ChecksumMismatch(
                f"SHA-256 of the {stored.size} bytes that arrived is {stored.sha256_hex}, "
                f"not {wanted.lower()}."
            )
        if self._upload_id is None:
            await self._put_whole()
        else:
            await self._send_part()
            await self._complete(self._upload_id)
        return stored

    async def settled(self) -> None:
        """Wait until no call is under way: what is undone before that may be done after it."""
        if self._call is not None:
            with contextlib.suppress(Exception):
                await self._call

    async def _put_whole(self) -> None:
        whole, self._buffer = bytes(self._buffer), bytearray()
        await self._uninterrupted(
            self._s3.run(
                self._s3.client.put_object,
                Bucket=self._s3.bucket,
                Key=self._key,
                Body=whole,
                ContentType=self._mime_type,
                ChecksumSHA256=_base64_sha256(whole),
            )
        )

    async def _send_part(self) -> None:
        if self._upload_id is None:
            self._upload_id = await self._create()
        part, self._buffer = bytes(self._buffer), bytearray()
        number, checksum = len(self._parts) + 1, _base64_sha256(part)
        answer = await self._uninterrupted(
            self._s3.run(
                self._s3.client.upload_part,
                Bucket=self._s3.bucket,
                Key=self._key,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=part,
                ChecksumSHA256=checksum,
            )
        )
        self._parts.append(
            {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}
        )

    async def _create(self) -> str:
        answer = await self._uninterrupted(
            self._s3.run(
                self._s3.client.create_multipart_upload,
                Bucket=self._s3.bucket,
                Key=self._key,
                ContentType=self._mime_type,
                ChecksumAlgorithm="SHA256",
            )
        )
        return answer["UploadId"]

    async def _complete(self, upload_id: str) -> None:
        await self._uninterrupted(
            self._s3.run(
                self._s3.client.complete_multipart_upload,
                Bucket=self._s3.bucket,
                Key=self._key,
                UploadId=upload_id,
                MultipartUpload={"Parts": self._parts},
            )
        )

    async def _uninterrupted(self, call: Awaitable[T]) -> T:
        """Wait for a call that goes on when we are cancelled: a thread cannot be stopped."""
        task = asyncio.ensure_future(call)
        self._call = task
        return await asyncio.shield(task)


def _base64_sha256(part: bytes) -> str:
    return base64.b64encode(hashlib.sha256(part).digest()).decode()

"""Uploads that go past us: presigned addresses for callers, and the proof of what came of them."""

import asyncio
import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from services.blobs.parts import Part
from services.blobs.reader import Body
from services.blobs.s3 import BlobAbsent, S3Calls
from services.errors import UploadIncomplete
from services.threads import Slots

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        HeadObjectOutputTypeDef,
        PartTypeDef,
    )

HEAD_BYTES = 4096
"""Of a blob's beginning that is looked at to tell what it is."""
_SLICE_BYTES = 8 * 1024**2
_CHUNK_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Announced:
    """What a caller says it will upload: length in bytes, SHA-256, media type."""

    size: int
    sha256: bytes
    mime_type: str


@dataclass(frozen=True, slots=True)
class PresignedRequest:
    """A request that its holder may make once or again until it expires, as it stands here."""

    method: str
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PresignedPart:
    """The request that uploads one part."""

    part: Part
    request: PresignedRequest


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found when the whole was read: length, SHA-256, and how it begins."""

    size: int
    sha256: bytes
    head: bytes


class DirectUploads:
    """Presigned uploads into one bucket. Errors are those of `S3Calls.run` throughout."""

    def __init__(self, s3: S3Calls, max_verifications: int) -> None:
        self._s3 = s3
        self._verifications = Slots("verifications of uploads", max_verifications)
        # While one assembles, another would see some of the parts gone and the blob not there yet.
        self._assembling: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def presign(self, key: str, announced: Announced, seconds: int) -> PresignedRequest:
        """Let the holder put exactly these bytes under the key: S3 refuses any others.

        Length, type and SHA-256 are signed headers. So what is put a second time, even after the
        blob has become a version, is the same.
        """
        digest = base64.b64encode(announced.sha256).decode("ascii")
        url = self._s3.client.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._s3.bucket,
                "Key": key,
                "ContentLength": announced.size,
                "ContentType": announced.mime_type,
                "ChecksumSHA256": digest,
            },
            ExpiresIn=seconds,
        )
        headers = {
            "Content-Length": str(announced.size),
            "Content-Type": announced.mime_type,
            "x-amz-checksum-sha256": digest,
        }
        return PresignedRequest("PUT", url, headers)

    async def begin_parts(self, key: str, mime_type: str) -> str:
        """Open an upload in parts; answers S3's id of it."""
        answer = await self._s3.run(
            self._s3.client.create_multipart_upload,
            Bucket=self._s3.bucket,
            Key=key,
            ContentType=mime_type,
        )
        return answer["UploadId"]

    def presign_parts(
        self, key: str, s3_upload_id: str, parts: Iterable[Part], seconds: int
    ) -> tuple[PresignedPart, ...]:
        """Let the holder put these parts, each of exactly its length."""
        return tuple(
            PresignedPart(part, self._presign_part(key, s3_upload_id, part, seconds))
            for part in parts
        )

    async def assemble(self, key: str, s3_upload_id: str, size: int) -> None:
        """Make one blob of the parts. Done already, it changes nothing.

        Raises:
            UploadIncomplete: parts are missing.
            BlobAbsent: there is neither an upload with this id nor a blob.
        """
        async with self._assembling.setdefault(key, asyncio.Lock()):
            try:
                parts = await self._list_parts(key, s3_upload_id)
                found = sum(part["Size"] for part in parts)
                if found != size:
                    raise UploadIncomplete(
                        f"{found} of {size} bytes have arrived, in {len(parts)} parts."
                    )
                await self._complete(key, s3_upload_id, parts)
            except (BlobAbsent, UploadIncomplete) as error:
                # Another call was faster, or this one's answer was lost: then the blob is there.
                await self._demand(key, error)

    async def _demand(self, key: str, otherwise: Exception) -> None:
        try:
            await self._s3.run(self._s3.client.head_object, Bucket=self._s3.bucket, Key=key)
        except BlobAbsent:
            raise otherwise from None

    async def see(self, key: str) -> Seen:
        """Read a whole blob for its digest, off the event loop, a MiB in memory at a time.

        Raises:
            BlobAbsent.
            Overloaded: enough of this goes on already.
        """
        with self._verifications.one():
            answer = await self._s3.run(self._s3.client.get_object, Bucket=self._s3.bucket, Key=key)
            body, seen = answer["Body"], _Digest()
            try:
                # In slices: others get their turn on the threads, and a caller may be cancelled.
                while await self._s3.run(seen.take, body):
                    pass
            finally:
                body.close()
            return seen.result()

    async def head_bytes(self, key: str) -> bytes:
        """How a blob begins; it is not empty.

        Raises:
            BlobAbsent.
        """
        answer = await self._s3.run(
            self._s3.client.get_object,
            Bucket=self._s3.bucket,
            Key=key,
            Range=f"bytes=0-{HEAD_BYTES - 1}",
        )
        body = answer["Body"]
        try:
            return await self._s3.run(body.read, HEAD_BYTES)
        finally:
            body.close()

    def _presign_part(
        self, key: str, s3_upload_id: str, part: Part, seconds: int
    ) -> PresignedRequest:
        url = self._s3.client.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": self._s3.bucket,
                "Key": key,
                "UploadId": s3_upload_id,
                "PartNumber": part.number,
                "ContentLength": part.size,
            },
            ExpiresIn=seconds,
        )
        return PresignedRequest("PUT", url, {"Content-Length": str(part.size)})

    async def _list_parts(self, key: str, s3_upload_id: str) -> "list[PartTypeDef]":
        found: list[PartTypeDef] = []
        marker = 0
        while True:
            page = await self._s3.run(
                self._s3.client.list_parts,
                Bucket=self._s3.bucket,
                Key=key,
                UploadId=s3_upload_id,
                PartNumberMarker=marker,
            )
            found += page.get("Parts", [])
            if not page.get("IsTruncated"):
                return _newest(found)
            marker = page["NextPartNumberMarker"]

    async def _complete(self, key: str, s3_upload_id: str, parts: "list[PartTypeDef]") -> None:
        named: list[CompletedPartTypeDef] = [
            {"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts
        ]
        await self._s3.run(
            self._s3.client.complete_multipart_upload,
            Bucket=self._s3.bucket,
            Key=key,
            UploadId=s3_upload_id,
            MultipartUpload={"Parts": named},
        )


def _newest(parts: "list[PartTypeDef]") -> "list[PartTypeDef]":
    """Each part once, as it was sent last; SeaweedFS lists what was replaced, too."""
    by_number = {
        part["PartNumber"]: part for part in sorted(parts, key=lambda part: part["LastModified"])
    }
    return [by_number[number] for number in sorted(by_number)]


class _Digest:
    """SHA-256 of a body, a slice at a time; used by one thread after the other."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._size = 0
        self._head = b""

    def take(self, body: Body) -> bool:
        """Read some more; False at the end."""
        for _ in range(_SLICE_BYTES // _CHUNK_BYTES):
            chunk = body.read(_CHUNK_BYTES)
            if not chunk:
                return False
            if len(self._head) < HEAD_BYTES:
                self._head += chunk[: HEAD_BYTES - len(self._head)]
            self._digest.update(chunk)
            self._size += len(chunk)
        return True

    def result(self) -> Seen:
        """What was read."""
        return Seen(self._size, self._digest.digest(), self._head)


def full_sha256(answer: "HeadObjectOutputTypeDef") -> bytes | None:
    """The SHA-256 that S3 computed over the whole blob when it came.

    After an upload in parts S3 has at best a digest of the parts' digests: that proves nothing.
    """
    text = answer.get("ChecksumSHA256", "")
    if not text or "-" in text or answer.get("ChecksumType") == "COMPOSITE":
        return None
    return base64.b64decode(text)

"""Everything under a prefix of the bucket, every version of it: counted, and removed for good."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.blobs.s3 import BlobAbsent, S3Calls
from services.errors import StorageUnavailable

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef, ObjectIdentifierTypeDef


@dataclass(frozen=True, slots=True)
class Held:
    """What is there: versions of objects, their bytes, and marks of deleted ones."""

    versions: int = 0
    bytes: int = 0
    markers: int = 0


class WholePrefixes:
    """All versions of all objects whose keys begin alike; the bucket may keep versions or not."""

    def __init__(self, s3: S3Calls) -> None:
        self._s3 = s3

    async def count(self, prefix: str) -> Held:
        """What is there."""
        versions = size = markers = 0
        async for page in self._pages(prefix):
            versions += len(page.get("Versions", []))
            size += sum(one["Size"] for one in page.get("Versions", []))
            markers += len(page.get("DeleteMarkers", []))
        return Held(versions, size, markers)

    async def remove(self, prefix: str) -> None:
        """Remove every version, every mark and every unfinished upload. May be repeated.

        Raises:
            StorageUnavailable: also when the store keeps something, as a lock makes it do.
        """
        await self._abort_uploads(prefix)
        client, bucket = self._s3.client, self._s3.bucket
        async for page in self._pages(prefix):
            names: list[ObjectIdentifierTypeDef] = [
                {"Key": one["Key"], "VersionId": one["VersionId"]}
                for one in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
            ]
            if not names:
                continue
            answer = await self._s3.run(
                client.delete_objects, Bucket=bucket, Delete={"Objects": names, "Quiet": True}
            )
            if refused := answer.get("Errors", []):
                one = refused[0]
                raise StorageUnavailable(
                    f"The object store keeps {len(refused)} versions, {one.get('Key')} among them: "
                    f"{one.get('Message') or one.get('Code')}."
                )

    async def _pages(self, prefix: str) -> AsyncIterator[ListObjectVersionsOutputTypeDef]:
        """Pages of a thousand, in the order of keys: what was removed behind does not matter."""
        client, bucket = self._s3.client, self._s3.bucket
        page = await self._s3.run(client.list_object_versions, Bucket=bucket, Prefix=prefix)
        while True:
            yield page
            if not page.get("IsTruncated"):
                return
            page = await self._s3.run(
                client.list_object_versions,
                Bucket=bucket,
                Prefix=prefix,
                KeyMarker=page["NextKeyMarker"],
                VersionIdMarker=page["NextVersionIdMarker"],
            )

    async def _abort_uploads(self, prefix: str) -> None:
        client, bucket = self._s3.client, self._s3.bucket
        while True:
            page = await self._s3.run(client.list_multipart_uploads, Bucket=bucket, Prefix=prefix)
            for upload in page.get("Uploads", []):
                with contextlib.suppress(BlobAbsent):
                    await self._s3.run(
                        client.abort_multipart_upload,
                        Bucket=bucket,
                        Key=upload["Key"],
                        UploadId=upload["UploadId"],
                    )
            if not page.get("IsTruncated"):
                return

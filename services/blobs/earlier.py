"""Versions of an object that are no longer current: what was removed or written over since."""

from __future__ import annotations

from collections.abc import Callable

from services.blobs.reader import BlobReader, Extent
from services.blobs.s3 import S3Calls


class EarlierVersions:
    """What a bucket that keeps versions still has under a key; nothing in one that does not."""

    def __init__(self, s3: S3Calls) -> None:
        self._s3 = s3

    async def find(self, key: str, size: int) -> list[str]:
        """The ids of versions of this key that are so many bytes long, newest first.

        A key is made for one upload and never written again with other bytes, so there are few.
        """
        client, bucket = self._s3.client, self._s3.bucket
        page = await self._s3.run(client.list_object_versions, Bucket=bucket, Prefix=key)
        return [
            one["VersionId"]
            for one in page.get("Versions", [])
            if one["Key"] == key and one["Size"] == size
        ]

    async def open(self, key: str, version: str, on_close: Callable[[], None]) -> BlobReader:
        """Open one version for reading; the reader has to be closed.

        Raises:
            BlobAbsent.
        """
        client, bucket = self._s3.client, self._s3.bucket
        answer = await self._s3.run(client.get_object, Bucket=bucket, Key=key, VersionId=version)
        length = answer["ContentLength"]
        return BlobReader(self._s3, answer["Body"], Extent(0, length - 1, length), on_close)

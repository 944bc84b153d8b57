"""Every bucket that a fleet's settings name: the documents', its copy, those with backups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from services.blobs import bucket_setup
from services.blobs.bucket_setup import Step
from services.blobs.s3 import S3Calls
from services.errors import InvalidRequest
from services.fleet.point_manifests import bucket_settings, copy_settings
from services.s3_settings import S3Settings
from services.settings import Settings


@dataclass(frozen=True, slots=True)
class _Bucket:
    """How a bucket is reached, and which one the store copies it to by itself."""

    settings: S3Settings
    copy: str | None = None


async def look(settings: Settings) -> list[Step]:
    """What each bucket has, and should have; nothing is changed.

    Raises:
        StorageUnavailable: a store does not answer, or not to these keys.
        InvalidRequest: the settings contradict each other.
    """
    return await _each(settings, dry=True)


async def prepare(settings: Settings) -> list[Step]:
    """Make each bucket what it should be; safe to repeat.

    Raises:
        As `look`.
    """
    return await _each(settings, dry=False)


async def _each(settings: Settings, *, dry: bool) -> list[Step]:
    steps: list[Step] = []
    for one in _buckets(settings):
        with closing(S3Calls(one.settings)) as s3:
            try:
                found = await bucket_setup.look(s3, one.settings, one.copy)
            except ValueError as error:
                raise InvalidRequest(f"{one.settings.bucket}: {error}.") from error
            steps += found if dry else await bucket_setup.carry_out(s3, found)
    return steps


def _buckets(settings: Settings) -> Iterator[_Bucket]:
    """Those that others are copied to come first."""
    copies = copy_settings(settings)
    if settings.s3.replication_role is not None and not copies:
        raise InvalidRequest("S3 is to replicate: DOCSHARD_BACKUP_BLOB_COPY says to where.")
    yield from map(_Bucket, copies)
    yield from map(_Bucket, bucket_settings(settings))
    yield _Bucket(settings.s3, copies[0].bucket if copies else None)

"""Calls to S3: in bounded threads, with deadlines and few retries, errors in our words."""

import logging
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader

from services.errors import RangeNotSatisfiable, StorageUnavailable
from services.s3_settings import S3Settings
from services.threads import BoundedThreads

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)
# Not NoSuchBucket: without our bucket it is the store that is not there, and no blob is missing.
_ABSENT = {"404", "NoSuchKey", "NotFound", "NoSuchUpload"}


class BlobAbsent(LookupError):
    """The store has no such blob, bucket or multipart upload."""


class S3Calls:
    """One client, which threads may share, and the threads."""

    def __init__(self, settings: S3Settings) -> None:
        self.bucket = settings.bucket
        self.region = settings.region
        self.client = _make_client(settings)
        self._threads = BoundedThreads("the object store", settings.threads, settings.max_waiting)

    async def run(self, call: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Run a method of the client, or of what it gave, in a thread.

        Raises:
            BlobAbsent, RangeNotSatisfiable.
            StorageUnavailable: no answer in time, or a refusal that is no fault of the caller.
            Overloaded: too many calls wait.
        """
        try:
            return await self._threads.run(call, *arguments, **named)
        except ClientError as error:
            raise _translated(error) from error
        except (BotoCoreError, OSError) as error:
            _log.warning("the object store does not answer: %s", error)
            raise StorageUnavailable("The object store does not answer.") from error

    def close(self) -> None:
        """End the threads and the connections."""
        self._threads.close()
        self.client.close()


def _make_client(settings: S3Settings) -> "S3Client":
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        retries={"total_max_attempts": settings.attempts, "mode": "standard"},
        max_pool_connections=settings.threads + settings.max_downloads,
        # We say which checksums: SHA-256 of what we send. The defaults would add CRCs.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    # A session of our own: no file or variable of the machine may change who we are.
    own = botocore.session.Session()
    own.register_component("data_loader", _descriptions())
    session = boto3.session.Session(
        botocore_session=own,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key.get_secret_value(),
        region_name=settings.region,
    )
    return session.client(
        "s3",
        endpoint_url=str(settings.endpoint).rstrip("/"),
        config=config,
        verify=None if settings.ca_file is None else str(settings.ca_file),
    )


@cache
def _descriptions() -> Loader:
    """botocore's own description of S3, megabytes of JSON: read once for all clients."""
    return create_loader()


def _translated(error: ClientError) -> Exception:
    code = error.response.get("Error", {}).get("Code", "")
    if code in _ABSENT:
        return BlobAbsent(code)
    if code in ("InvalidRange", "416"):
        return RangeNotSatisfiable()
    _log.warning("the object store refuses to work: %s", error)
    return StorageUnavailable("The object store refuses to work.")

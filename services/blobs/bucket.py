"""The bucket's settings: what browsers may do, what S3 tidies up, what it keeps.

Rendered as S3's own documents, so that they can be given to whoever makes buckets elsewhere.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from services.blobs.s3 import BlobAbsent, S3Calls
from services.errors import StorageUnavailable
from services.s3_settings import S3Settings

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        BucketLifecycleConfigurationTypeDef,
        CORSConfigurationTypeDef,
        VersioningConfigurationTypeDef,
    )

_log = logging.getLogger(__name__)

# The worker's sweep aborts what our own rows know of after upload_hours, seven days at most.
_ABORT_PARTS_DAYS = 8


def cors(settings: S3Settings) -> dict[str, Any] | None:
    """CORS rules that let pages of the configured origins use presigned addresses; None: no rules.

    Which headers a page sends is bound by the signature, so no others need to be allowed.
    """
    if not settings.cors_origins:
        return None
    rule = {
        "ID": "uploads",
        "AllowedOrigins": list(settings.cors_origins),
        "AllowedMethods": ["PUT", "GET", "HEAD"],
        "AllowedHeaders": ["content-type", "x-amz-checksum-sha256", "range"],
        "ExposeHeaders": ["ETag", "Content-Length", "Content-Range", "x-amz-checksum-sha256"],
        "MaxAgeSeconds": 3600,
    }
    return {"CORSRules": [rule]}


def lifecycle(settings: S3Settings) -> dict[str, Any]:
    """Lifecycle rules: forgotten parts go; what is no longer current goes, when it is kept at all.

    Nothing here ever ages a current blob away: only the database knows which are needed.
    """
    everything = {"Status": "Enabled", "Filter": {"Prefix": ""}}
    rules: list[dict[str, Any]] = [
        {
            "ID": "abandoned-parts",
            **everything,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_PARTS_DAYS},
        }
    ]
    if settings.versioning:
        rules.append(
            {
                "ID": "removed-blobs",
                **everything,
                "NoncurrentVersionExpiration": {"NoncurrentDays": settings.noncurrent_days},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            }
        )
    return {"Rules": rules}


def versioning(settings: S3Settings) -> dict[str, Any] | None:
    """Whether S3 keeps what was removed; None: as the bucket is, since it cannot be unmade."""
    return {"Status": "Enabled"} if settings.versioning else None


def render(settings: S3Settings) -> dict[str, Any]:
    """All settings of the bucket, by the name of the S3 call that sets them, as JSON values."""
    documents = {
        "PutBucketLifecycleConfiguration": lifecycle(settings),
        "PutBucketCors": cors(settings),
        "PutBucketVersioning": versioning(settings),
    }
    return {call: document for call, document in documents.items() if document is not None}


async def apply_settings(s3: S3Calls, settings: S3Settings) -> None:
    """Give the bucket its settings. What the store does not know, or forbids us, is logged."""
    client, bucket = s3.client, s3.bucket
    rules = cast("BucketLifecycleConfigurationTypeDef", lifecycle(settings))
    await _try(
        "lifecycle",
        lambda: s3.run(
            client.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration=rules
        ),
    )
    if (origins := cors(settings)) is not None:
        allowed = cast("CORSConfigurationTypeDef", origins)
        await _try(
            "CORS", lambda: s3.run(client.put_bucket_cors, Bucket=bucket, CORSConfiguration=allowed)
        )
    if (kept := versioning(settings)) is not None:
        state = cast("VersioningConfigurationTypeDef", kept)
        await _try(
            "versioning",
            lambda: s3.run(
                client.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=state
            ),
        )


async def _try(what: str, call: Callable[[], Awaitable[Any]]) -> None:
    try:
        await call()
    except (StorageUnavailable, BlobAbsent) as error:
        _log.warning("the bucket's %s is left as it is: %s", what, error)

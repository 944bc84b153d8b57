"""The bucket's settings as S3's own documents."""

import json
from typing import Any

from services.blobs.bucket import render
from services.s3_settings import S3Settings


def settings(**more: Any) -> S3Settings:
    return S3Settings(
        endpoint="http://127.0.0.1:1",
        bucket="documents",
        access_key="a",
        secret_key="b",
        **more,
    )


def test_by_default_only_forgotten_parts_age_away() -> None:
    rendered = render(settings())
    assert list(rendered) == ["PutBucketLifecycleConfiguration"]
    [rule] = rendered["PutBucketLifecycleConfiguration"]["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 8}
    assert "Expiration" not in rule


def test_what_browsers_may_do_and_what_is_kept() -> None:
    origins = ("https://app.example.org",)
    rendered = render(settings(cors_origins=origins, versioning=True, noncurrent_days=3))
    [rule] = rendered["PutBucketCors"]["CORSRules"]
    assert rule["AllowedOrigins"] == list(origins)
    assert "x-amz-checksum-sha256" in rule["AllowedHeaders"]
    assert rendered["PutBucketVersioning"] == {"Status": "Enabled"}
    kept = rendered["PutBucketLifecycleConfiguration"]["Rules"][1]
    assert kept["NoncurrentVersionExpiration"] == {"NoncurrentDays": 3}
    assert json.loads(json.dumps(rendered)) == rendered

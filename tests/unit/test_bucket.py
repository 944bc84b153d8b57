"""The bucket's settings as S3's own documents, and when what stands there will do."""

import json
from typing import Any

import pytest

from services.blobs.bucket import holds, wanted, with_others
from services.s3_settings import S3Settings


def settings(**more: Any) -> S3Settings:
    return S3Settings(
        endpoint="http://127.0.0.1:1",
        bucket="documents",
        access_key="a",
        secret_key="b",
        **more,
    )


def test_by_default_only_forgotten_parts_age_away_and_nobody_gets_in_without_a_signature() -> None:
    documents = wanted(settings())
    assert list(documents) == ["public access", "lifecycle"]
    [rule] = documents["lifecycle"]["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 8}
    assert "Expiration" not in rule
    assert set(documents["public access"].values()) == {True}


def test_what_browsers_may_do_and_what_is_kept() -> None:
    origins = ("https://app.example.org",)
    documents = wanted(settings(cors_origins=origins, versioning=True, noncurrent_days=3))
    [rule] = documents["CORS"]["CORSRules"]
    assert rule["AllowedOrigins"] == list(origins)
    assert "x-amz-checksum-sha256" in rule["AllowedHeaders"]
    assert documents["versioning"] == {"Status": "Enabled"}
    kept = documents["lifecycle"]["Rules"][1]
    assert kept["NoncurrentVersionExpiration"] == {"NoncurrentDays": 3}
    assert json.loads(json.dumps(documents)) == documents


def test_encryption_is_with_s3s_keys_or_with_kms() -> None:
    def default(**more: Any) -> dict[str, Any]:
        [rule] = wanted(settings(**more))["encryption"]["Rules"]
        return dict(rule)

    assert default(encryption="AES256") == {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}
    }
    assert default(encryption="aws:kms", encryption_key="arn:k") == {
        "ApplyServerSideEncryptionByDefault": {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": "arn:k",
        },
        "BucketKeyEnabled": True,
    }


def test_s3_replicates_where_it_was_given_a_role() -> None:
    given: dict[str, Any] = {
        "versioning": True,
        "replication_role": "arn:role",
        "replica_key": "arn:key",
    }
    document = wanted(settings(**given), "far")["replication"]
    [rule] = document["Rules"]
    assert document["Role"] == "arn:role"
    assert rule["Destination"] == {
        "Bucket": "arn:aws:s3:::far",
        "EncryptionConfiguration": {"ReplicaKmsKeyID": "arn:key"},
    }
    assert "replication" not in wanted(settings(), "far")
    with pytest.raises(ValueError, match="VERSIONING"):
        wanted(settings(replication_role="arn:role"), "far")


def test_rules_of_others_stay_and_older_ones_of_ours_go() -> None:
    theirs = {"ID": "to glacier", "Status": "Enabled"}
    present = {"Rules": [{"ID": "removed-blobs"}, theirs, {"ID": "abandoned-parts", "old": True}]}
    ours = wanted(settings())["lifecycle"]
    assert with_others(present, ours)["Rules"] == [theirs, *ours["Rules"]]
    assert with_others(None, ours) == ours


def test_what_a_store_tells_besides_does_not_matter() -> None:
    ours = wanted(settings(versioning=True))["lifecycle"]
    told: dict[str, Any] = {
        "Rules": [{**rule, "more": 1} for rule in ours["Rules"]],
        "Transition": "x",
    }
    assert holds(told, ours)
    assert not holds({"Rules": told["Rules"][:1]}, ours)
    assert not holds(
        {"Rules": [{**told["Rules"][0], "Status": "Disabled"}, *ours["Rules"][1:]]}, ours
    )
    assert not holds({}, ours)
    assert not holds(None, ours)

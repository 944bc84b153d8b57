"""Buckets are made what they should be, by a real store: once, and nothing of others is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from loadtests.bench.start import environment_of_nobody
from services.blobs.bucket_setup import Outcome, Step, carry_out, look
from services.blobs.s3 import S3Calls
from services.s3_settings import S3Settings
from tests.command import run_docshard
from tests.integration.s3 import COPY_BUCKET, PREPARED_BUCKET

PATIENCE_SECONDS = 120
THEIRS = {
    "ID": "theirs",
    "Status": "Enabled",
    "Filter": {"Prefix": "reports/"},
    "Expiration": {"Days": 30},
}


@pytest.fixture
def s3(s3_settings: S3Settings) -> Iterator[S3Calls]:
    """A bucket of its own, which is gone in the end."""
    with closing(S3Calls(known(s3_settings))) as calls:
        yield calls
        calls.client.delete_bucket(Bucket=PREPARED_BUCKET)


def known(plain: S3Settings, **more: object) -> S3Settings:
    return plain.model_copy(update={"bucket": PREPARED_BUCKET, **more})


def outcomes(steps: list[Step]) -> dict[str, str]:
    return {step.what: step.outcome for step in steps}


async def test_what_is_so_is_not_done_again(s3: S3Calls, s3_settings: S3Settings) -> None:
    wished = known(
        s3_settings, versioning=True, encryption="AES256", cors_origins=("https://app.example",)
    )
    due = await look(s3, wished)
    assert set(outcomes(due).values()) == {Outcome.DUE}
    done = outcomes(await carry_out(s3, due))
    # SeaweedFS has no such block, and gives nothing to who has no signature anyway.
    assert done.pop("public access") == Outcome.UNKNOWN
    assert set(done.values()) == {Outcome.DONE}
    again = outcomes(await carry_out(s3, await look(s3, wished)))
    assert again.pop("public access") == Outcome.UNKNOWN
    assert set(again.values()) == {Outcome.AS_WANTED}


async def test_what_differs_is_set_and_what_others_made_stays(
    s3: S3Calls, s3_settings: S3Settings
) -> None:
    s3.client.create_bucket(Bucket=PREPARED_BUCKET)
    s3.client.put_bucket_lifecycle_configuration(
        Bucket=PREPARED_BUCKET,
        LifecycleConfiguration={"Rules": [THEIRS]},  # type: ignore[list-item]  # a plain mapping
    )
    wished = known(s3_settings, versioning=True, noncurrent_days=9)
    due = await look(s3, wished)
    assert outcomes(due)["bucket"] == Outcome.AS_WANTED
    assert outcomes(due)["lifecycle"] == Outcome.DUE
    await carry_out(s3, due)
    found = s3.client.get_bucket_lifecycle_configuration(Bucket=PREPARED_BUCKET)["Rules"]
    assert {rule["ID"] for rule in found} == {"theirs", "abandoned-parts", "removed-blobs"}
    assert outcomes(await look(s3, wished))["lifecycle"] == Outcome.AS_WANTED


def test_the_command_tells_first_and_then_does_it_once(
    s3: S3Calls, s3_settings: S3Settings
) -> None:
    plain = {"endpoint": str(s3_settings.endpoint), "region": s3_settings.region}
    secret = s3_settings.secret_key.get_secret_value()
    told = {
        "DOCSHARD_S3_ENDPOINT": plain["endpoint"],
        "DOCSHARD_S3_BUCKET": PREPARED_BUCKET,
        "DOCSHARD_S3_ACCESS_KEY": s3_settings.access_key,
        "DOCSHARD_S3_SECRET_KEY": secret,
        "DOCSHARD_S3_VERSIONING": "true",
        "DOCSHARD_BACKUP_BLOB_COPY": json.dumps({**plain, "bucket": COPY_BUCKET}),
        "DOCSHARD_BACKUP_ACCESS_KEY": s3_settings.access_key,
        "DOCSHARD_BACKUP_SECRET_KEY": secret,
    }
    try:
        with environment_of_nobody() as nobody:
            dry = run_docshard(["bucket", "prepare", "--dry-run"], nobody | told, PATIENCE_SECONDS)
            assert f"{PREPARED_BUCKET}: make it\n" in dry.stdout
            assert f"{COPY_BUCKET}: set lifecycle\n" in dry.stdout
            words = ["bucket", "prepare", "-o", "json"]
            done = run_docshard(words, nobody | told, PATIENCE_SECONDS)
            role = {"DOCSHARD_S3_REPLICATION_ROLE": "arn:role", "DOCSHARD_S3_VERSIONING": "false"}
            mad = run_docshard(words, nobody | told | role, PATIENCE_SECONDS)
    finally:
        s3.client.delete_bucket(Bucket=COPY_BUCKET)
    assert dry.returncode == done.returncode == 0, dry.stderr + done.stderr
    steps = json.loads(done.stdout)["buckets"]
    assert {step["bucket"] for step in steps} == {PREPARED_BUCKET, COPY_BUCKET}
    assert {step["outcome"] for step in steps} == {"set", "not known to this store"}
    assert mad.returncode == 2
    assert "DOCSHARD_S3_VERSIONING" in mad.stderr

"""Makes a bucket what it should be, and nothing twice: looks first, then sets what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, Final

from botocore.exceptions import ClientError

from services.blobs.bucket import Document, holds, wanted, with_others
from services.blobs.s3 import BlobAbsent, S3Calls
from services.s3_settings import S3Settings

BUCKET: Final = "bucket"
_UNKNOWN: Final = frozenset({"NotImplemented", "MethodNotAllowed"})


class Outcome(StrEnum):
    """What became, or is to become, of one thing."""

    AS_WANTED = "is so"
    DUE = "to be set"
    DONE = "set"
    UNKNOWN = "not known to this store"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a bucket should have: `document` as S3 takes it, `why` as the store says."""

    bucket: str
    what: str
    outcome: Outcome
    document: Document
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Setting:
    """How S3 is asked for a setting, and told: calls of boto3, the argument that takes the
    document, where the answer has it (None: it is the answer), and the code that says there is
    none."""

    read: str
    write: str
    argument: str
    answer: str | None
    none: str


_SETTINGS: Final[Mapping[str, _Setting]] = {
    "versioning": _Setting(
        *("get_bucket_versioning", "put_bucket_versioning", "VersioningConfiguration"),
        answer=None,
        none="",
    ),
    "encryption": _Setting(
        *("get_bucket_encryption", "put_bucket_encryption", "ServerSideEncryptionConfiguration"),
        answer="ServerSideEncryptionConfiguration",
        none="ServerSideEncryptionConfigurationNotFoundError",
    ),
    "public access": _Setting(
        *("get_public_access_block", "put_public_access_block", "PublicAccessBlockConfiguration"),
        answer="PublicAccessBlockConfiguration",
        none="NoSuchPublicAccessBlockConfiguration",
    ),
    "lifecycle": _Setting(
        *("get_bucket_lifecycle_configuration", "put_bucket_lifecycle_configuration"),
        "LifecycleConfiguration",
        answer=None,
        none="NoSuchLifecycleConfiguration",
    ),
    "CORS": _Setting(
        *("get_bucket_cors", "put_bucket_cors", "CORSConfiguration"),
        answer=None,
        none="NoSuchCORSConfiguration",
    ),
    "replication": _Setting(
        *("get_bucket_replication", "put_bucket_replication", "ReplicationConfiguration"),
        answer="ReplicationConfiguration",
        none="ReplicationConfigurationNotFoundError",
    ),
}


async def look(s3: S3Calls, settings: S3Settings, copy: str | None = None) -> list[Step]:
    """Every step to what the bucket should be, those that are done already among them; nothing is
    changed.

    Raises:
        StorageUnavailable: the store does not answer, or not to these keys.
        ValueError: the settings contradict each other.
    """
    documents = wanted(settings, copy)
    # S3 refuses the name of its first region as a constraint.
    place = {} if s3.region == "us-east-1" else {"LocationConstraint": s3.region}
    made = Step(s3.bucket, BUCKET, Outcome.AS_WANTED, place)
    try:
        await s3.run(s3.client.head_bucket, Bucket=s3.bucket)
    except BlobAbsent:
        due = [Step(s3.bucket, name, Outcome.DUE, one) for name, one in documents.items()]
        return [replace(made, outcome=Outcome.DUE), *due]
    return [made, *[await _look(s3, name, one) for name, one in documents.items()]]


async def carry_out(s3: S3Calls, steps: list[Step]) -> list[Step]:
    """Do what is due, one after the other; what the store refuses does not stop the rest.

    Raises:
        StorageUnavailable: the store does not answer.
    """
    return [await _do(s3, step) if step.outcome is Outcome.DUE else step for step in steps]


async def _look(s3: S3Calls, name: str, ours: Document) -> Step:
    setting = _SETTINGS[name]
    answer = await s3.run(partial(_asked, getattr(s3.client, setting.read)), Bucket=s3.bucket)
    step = Step(s3.bucket, name, Outcome.DUE, ours)
    if isinstance(answer, _Refusal):
        return step if answer.code == setting.none else _refused(step, answer)
    present = answer if setting.answer is None else answer.get(setting.answer)
    whole = with_others(present, ours)
    outcome = Outcome.AS_WANTED if holds(present, whole) else Outcome.DUE
    return replace(step, document=whole, outcome=outcome)


async def _do(s3: S3Calls, step: Step) -> Step:
    if step.what == BUCKET:
        call: Callable[..., Any] = s3.client.create_bucket
        given = {"CreateBucketConfiguration": step.document} if step.document else {}
    else:
        setting = _SETTINGS[step.what]
        call, given = getattr(s3.client, setting.write), {setting.argument: step.document}
    answer = await s3.run(partial(_asked, call), Bucket=s3.bucket, **given)
    if isinstance(answer, _Refusal):
        return _refused(step, answer)
    return replace(step, outcome=Outcome.DONE)


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: str
    message: str


def _asked(call: Callable[..., Any], **named: Any) -> Mapping[str, Any] | _Refusal:
    """What the store answers, refusals too: here they are news and no failure."""
    try:
        answer: Mapping[str, Any] = call(**named)
    except ClientError as error:
        told = error.response.get("Error", {})
        return _Refusal(told.get("Code", ""), told.get("Message", ""))
    return answer


def _refused(step: Step, answer: _Refusal) -> Step:
    known = answer.code not in _UNKNOWN
    outcome = Outcome.REFUSED if known else Outcome.UNKNOWN
    return replace(step, outcome=outcome, why=f"{answer.code}: {answer.message}" if known else "")

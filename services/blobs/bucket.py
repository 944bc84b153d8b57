"""What a bucket should be: what it keeps, enciphers, tidies up, lets browsers do, copies. Pure.

Rendered as S3's own documents, so that they can be given to whoever makes buckets elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.s3_settings import S3Settings

Document = Mapping[str, Any]

# The worker's sweep aborts what our own rows know of after upload_hours, seven days at most.
_ABORT_PARTS_DAYS: Final = 8
_PARTS, _REMOVED, _PAGES, _COPY = "abandoned-parts", "removed-blobs", "uploads", "docshard-copy"
_OURS: Final = frozenset({_PARTS, _REMOVED, _PAGES, _COPY})
_LISTS: Final = ("Rules", "CORSRules")


def wanted(settings: S3Settings, copy: str | None = None) -> dict[str, Document]:
    """Every setting by its name, in the order in which S3 takes them; `copy`: the bucket that the
    store itself replicates to. What is not wanted is missing: it stays as it is.

    Raises:
        ValueError: these settings contradict each other.
    """
    documents = {
        "versioning": versioning(settings),
        "encryption": encryption(settings),
        "public access": public_access(settings),
        "lifecycle": lifecycle(settings),
        "CORS": cors(settings),
        "replication": None if copy is None else replication(settings, copy),
    }
    return {name: document for name, document in documents.items() if document is not None}


def versioning(settings: S3Settings) -> Document | None:
    """Whether S3 keeps what was removed; None: as the bucket is, since it cannot be unmade."""
    return {"Status": "Enabled"} if settings.versioning else None


def encryption(settings: S3Settings) -> Document | None:
    """How S3 enciphers what is put there; None: as the bucket is."""
    if settings.encryption is None:
        return None
    default: dict[str, str] = {"SSEAlgorithm": settings.encryption}
    if settings.encryption == "AES256":
        return {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    if settings.encryption_key is not None:
        default["KMSMasterKeyID"] = settings.encryption_key
    # A key for the bucket, made from KMS' own: else KMS is asked for each blob.
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
    return {"Rules": [rule]}


def public_access(settings: S3Settings) -> Document | None:
    """Nobody gets anything without a signature, whatever a policy or an ACL will say one day."""
    if not settings.block_public:
        return None
    refused = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    return dict.fromkeys(refused, True)


def lifecycle(settings: S3Settings) -> Document:
    """Lifecycle rules: forgotten parts go; what is no longer current goes, when it is kept at all.

    Nothing here ever ages a current blob away: only the database knows which are needed.
    """
    everything = {"Status": "Enabled", "Filter": {"Prefix": ""}}
    rules: list[dict[str, Any]] = [
        {
            "ID": _PARTS,
            **everything,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_PARTS_DAYS},
        }
    ]
    if settings.versioning:
        rules.append(
            {
                "ID": _REMOVED,
                **everything,
                "NoncurrentVersionExpiration": {"NoncurrentDays": settings.noncurrent_days},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            }
        )
    return {"Rules": rules}


def cors(settings: S3Settings) -> Document | None:
    """CORS rules that let pages of the configured origins use presigned addresses; None: no rules.

    Which headers a page sends is bound by the signature, so no others need to be allowed.
    """
    if not settings.cors_origins:
        return None
    rule = {
        "ID": _PAGES,
        "AllowedOrigins": list(settings.cors_origins),
        "AllowedMethods": ["PUT", "GET", "HEAD"],
        "AllowedHeaders": ["content-type", "x-amz-checksum-sha256", "range"],
        "ExposeHeaders": ["ETag", "Content-Length", "Content-Range", "x-amz-checksum-sha256"],
        "MaxAgeSeconds": 3600,
    }
    return {"CORSRules": [rule]}


def replication(settings: S3Settings, copy: str) -> Document | None:
    """S3 copies everything there by itself, removals, too; None: nobody said in which role.

    Raises:
        ValueError: S3 replicates from buckets with versions alone.
    """
    if settings.replication_role is None:
        return None
    if not settings.versioning:
        raise ValueError("a bucket that S3 replicates keeps versions: DOCSHARD_S3_VERSIONING")
    destination: dict[str, Any] = {"Bucket": f"arn:aws:s3:::{copy}"}
    rule: dict[str, Any] = {
        "ID": _COPY,
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": destination,
    }
    if settings.replica_key is not None:
        destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": settings.replica_key}
        rule["SourceSelectionCriteria"] = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    return {"Role": settings.replication_role, "Rules": [rule]}


def with_others(present: Document | None, ours: Document) -> Document:
    """Our document with the rules of others that stand there: S3 replaces all of them at once."""
    name = next((name for name in _LISTS if name in ours), None)
    if name is None or present is None:
        return ours
    fresh = {rule.get("ID"): rule for rule in ours[name]}
    if None in fresh:  # encryption has one rule, which has no name
        return ours
    kept = [
        fresh.pop(rule.get("ID"), rule) for rule in present.get(name, ()) if _stays(rule, fresh)
    ]
    return {**ours, name: [*kept, *fresh.values()]}


def _stays(rule: Document, fresh: Mapping[str, Document]) -> bool:
    return rule.get("ID") not in _OURS or rule.get("ID") in fresh


def holds(present: Any, document: Any) -> bool:
    """Whether what stands there says all that the document says; stores tell more than that."""
    if isinstance(document, Mapping):
        return isinstance(present, Mapping) and all(
            name in present and holds(present[name], value) for name, value in document.items()
        )
    if isinstance(document, Sequence) and not isinstance(document, str):
        listed = isinstance(present, Sequence) and len(present) == len(document)
        return listed and all(map(holds, present, document))
    return bool(present == document)

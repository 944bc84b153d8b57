"""What a tenant's documents ought to be: a model in memory, written from the contract alone."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Refusal = tuple[int, str]
ABSENT: Refusal = (404, "not_found")
RIGHT, STALE, MISSING = "right", "stale", "missing"


@dataclass(frozen=True)
class Content:
    """One version's bytes and type."""

    data: bytes
    mime_type: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Told:
    """One audit row that has to be there: of one of these requests, which were one and the same.

    `changes` None: not foretold, since requests ran side by side.
    """

    action: str
    requests: frozenset[str]
    changes: dict[str, Any] | None = None


@dataclass(eq=False)
class Document:
    """One document. `shown` is how the service showed it last."""

    client: str
    id: str
    name: str
    mime_type: str
    metadata: dict[str, Any]
    row_version: int = 1
    versions: list[Content] = field(default_factory=list)
    legal_hold: bool = False
    retain_until: str | None = None
    deleted: bool = False
    purged: bool = False
    told: list[Told] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)

    @property
    def newest(self) -> Content | None:
        return self.versions[-1] if self.versions else None

    @property
    def etag(self) -> str:
        return f'"{self.row_version}"'

    def image(self) -> dict[str, Any]:
        """What a reader sees, less ids and times."""
        newest = self.newest
        return {
            "original_name": self.name,
            "mime_type": self.mime_type,
            "current_version": len(self.versions),
            "size": None if newest is None else len(newest.data),
            "checksum_sha256": None if newest is None else newest.sha256,
            "metadata": self.metadata,
            "legal_hold": self.legal_hold,
            "retain_until": self.retain_until,
            "deleted_at": self.deleted,
        }

    # What refuses a change, in the order of the contract.

    def living(self) -> Refusal | None:
        return ABSENT if self.deleted or self.purged else None

    def matched(self, match: str) -> Refusal | None:
        """As `living`, with an If-Match that is right, stale or missing."""
        late = {MISSING: (428, "precondition_required"), STALE: (412, "precondition_failed")}
        return self.living() or late.get(match)

    def keeps(self) -> Refusal | None:
        """What refuses a purge by somebody who may purge."""
        if self.purged:
            return ABSENT
        if self.legal_hold or (self.retain_until or "") > now():
            return (409, "retained")
        return None if self.deleted else (409, "conflict")

    # Changes

    def add(self, content: Content) -> None:
        self.versions.append(content)
        self.mime_type = content.mime_type
        self.row_version += 1

    def patch(self, body: dict[str, Any]) -> bool:
        """Apply a patch; False when it changes nothing."""
        before = self.image()
        self.name = body.get("original_name", self.name)
        self.metadata = merged(self.metadata, body.get("metadata", {}))
        self.legal_hold = body.get("legal_hold", self.legal_hold)
        self.retain_until = body.get("retain_until", self.retain_until)
        changed = self.image() != before
        self.row_version += changed
        return changed

    def delete(self, *, deleted: bool) -> None:
        self.deleted = deleted
        self.row_version += 1


@dataclass(eq=False)
class Upload:
    """An upload that was granted. `state`: open, done (a version has its content) or aborted."""

    document: Document
    id: str
    content: Content
    request: dict[str, Any]
    sent: bool = False
    state: str = "open"
    number: int = 0

    def completing(self) -> Refusal | None:
        """What refuses its completion."""
        if self.document.living() or self.state == "done":
            return self.document.living()
        if self.state == "aborted":
            return (409, "upload_ended")
        return None if self.sent else (409, "upload_incomplete")

    def aborting(self) -> Refusal | None:
        if self.document.purged:
            return ABSENT
        return (409, "conflict") if self.state == "done" else None


def changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, Any]:
    """What an audit row says of a change."""
    if before is None or after is None:
        return {"before": before, "after": after}
    differing = [name for name in after if before[name] != after[name]]
    return {
        "before": {name: before[name] for name in differing},
        "after": {name: after[name] for name in differing},
    }


def merged(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """JSON Merge Patch, for objects of plain values."""
    both = {**target, **patch}
    return {name: value for name, value in both.items() if value is not None}


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def comparable(image: dict[str, Any] | None) -> dict[str, Any] | None:
    """An image as the service gives it, in the model's words: whether deleted, not when."""
    if image is None:
        return None
    told = dict(image)
    if "deleted_at" in told:
        told["deleted_at"] = told["deleted_at"] is not None
    if told.get("retain_until"):
        moment = datetime.fromisoformat(told["retain_until"]).astimezone(UTC)
        told["retain_until"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return told

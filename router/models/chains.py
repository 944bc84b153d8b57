"""The chain of a tenant's audit log: verified, and followed as a change feed."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import Field

from router.models.examples import AUDIT_ID, AUDIT_LOG, NOON, SHA256
from router.models.fields import (
    DEFAULT_LIMIT,
    Cursor,
    Given,
    HexDigest,
    Instant,
    Limit,
    Seconds,
    Shown,
    StoredJson,
)


class VerificationQuery(Given):
    """Which rows to verify."""

    from_: Instant | None = Field(default=None, alias="from")
    to: Instant | None = None
    cursor: Cursor | None = Field(default=None, description="`next_cursor` of the answer before.")


class SignedHead(Shown):
    """The newest head that was signed, kept apart from the tenant's shard; Ed25519."""

    seq: int
    chain_hash: HexDigest
    signed_at: datetime
    kid: UUID
    signature: str
    public_key: HexDigest | None


class ChainHead(Shown):
    """The newest link of the chain, and the newest signed head."""

    seq: int
    chain_hash: HexDigest | None
    signed: SignedHead | None


class ChainFinding(Shown):
    """One fault; `fault` is what kind."""

    seq: int
    fault: str
    audit_id: UUID | None


class AuditVerification(Shown):
    """Whether the chain is sound as far as it was looked at.

    `next_cursor` says where to go on, null when all was looked at.
    """

    ok: bool
    first_bad_seq: int | None
    head: ChainHead
    checked: int = Field(description="Links looked at for this answer.")
    findings: list[ChainFinding]
    next_cursor: str | None


class ChangesQuery(Given):
    """Where a follower stands, and how patient it is."""

    limit: Limit = Field(default=DEFAULT_LIMIT, description="How many at most.")
    cursor: Cursor | None = Field(default=None, description="`next_cursor` of the page before.")
    wait: Seconds = Field(default=0, description="Seconds to wait when there is nothing new.")


class ChangeShown(Shown):
    """One change, as the audit log has it."""

    seq: int
    id: UUID
    user_id: UUID | None
    api_key_id: UUID | None
    action: str
    entity_type: str
    entity_id: UUID
    changes: StoredJson
    created_at: datetime


class ChangesPage(Shown):
    """Changes in the order of seq. There always is a next cursor."""

    items: list[ChangeShown]
    next_cursor: str


CHANGES: Final[dict[str, Any]] = {
    "items": [{name: AUDIT_LOG[name] for name in ChangeShown.model_fields}],
    "next_cursor": "AZg_Xn…",
}
VERIFICATION: Final[dict[str, Any]] = {
    "ok": False,
    "first_bad_seq": 7,
    "head": {
        "seq": 19,
        "chain_hash": SHA256,
        "signed": {
            "seq": 17,
            "chain_hash": SHA256,
            "signed_at": NOON,
            "kid": "01983f5e-7777-7d2b-9a4e-0c5b7d1e2f36",
            "signature": "6f1c…",
            "public_key": SHA256,
        },
    },
    "checked": 19,
    "findings": [{"seq": 7, "fault": "changed", "audit_id": AUDIT_ID}],
    "next_cursor": None,
}

"""What the service answers, as values.

Generated from openapi.json by `make api`; do not edit.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime

from docshard_client.model import Model


class ApiKey(Model):
    """A key, without its secret."""

    id: UUID
    client_id: UUID
    name: str
    scopes: Sequence[str]
    expires_at: AwareDatetime | None = None
    created_by: UUID | None = None
    created_at: AwareDatetime
    last_used_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None


class AuditLog(Model):
    """Who did what. `seq` is null until the chain has taken the row."""

    id: UUID
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    action: str
    entity_type: str
    entity_id: UUID
    changes: Mapping[str, Any]
    ip_address: str | None = None
    request_id: str | None = None
    created_at: AwareDatetime
    seq: int | None = None


class ChainFinding(Model):
    """One fault; `fault` is what kind."""

    seq: int
    fault: str
    audit_id: UUID | None = None


class Change(Model):
    """One change, as the audit log has it."""

    seq: int
    id: UUID
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    action: str
    entity_type: str
    entity_id: UUID
    changes: Mapping[str, Any]
    created_at: AwareDatetime


class Client(Model):
    """A client."""

    id: UUID
    code: str
    name: str
    metadata: Mapping[str, Any]
    status: str
    """`suspended` refuses every call of the tenant; `inactive` is read-only."""
    managed_by: UUID | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    deleted_at: AwareDatetime | None = None


class Document(Model):
    """A document. `current_version` 0: it has no content yet."""

    id: UUID
    client_id: UUID
    original_name: str
    mime_type: str
    current_version: int
    size: int | None = None
    checksum_sha256: str | None = None
    metadata: Mapping[str, Any]
    created_at: AwareDatetime
    created_by: UUID
    updated_at: AwareDatetime
    deleted_at: AwareDatetime | None = None
    legal_hold: bool
    retain_until: AwareDatetime | None = None
    etag: str | None = None
    """What changes of the document want; None in a list, which has no ETags."""


class MfaEnrolment(Model):
    """A secret for an authenticator app; in force once it was confirmed."""

    secret: str
    """To type in, base32."""
    otpauth_uri: str
    """To scan."""


class GlobalAuditLog(Model):
    """
    Who did what to whom. Without user and key it was an operator's command, and `reason` are
    the operator's words.
    """

    id: UUID
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    client_id: UUID | None = None
    action: str
    entity_type: str
    entity_id: UUID
    changes: Mapping[str, Any]
    ip_address: str | None = None
    request_id: str | None = None
    reason: str | None = None
    created_at: AwareDatetime


class Grant(Model):
    """Permissions inside one client, or everywhere when `client_id` is null."""

    role: str
    client_id: UUID | None = None
    permissions: Sequence[str]


class HeldRole(Model):
    """A role that a user holds, on one client or (null) on all."""

    id: UUID
    user_id: UUID
    role: str
    client_id: UUID | None = None
    granted_by: UUID | None = None
    created_at: AwareDatetime


class Jwk(Model):
    """A public key (RFC 7517, RFC 8037)."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class Jwks(Model):
    """The public keys that verify access tokens."""

    keys: Sequence[Jwk]


class PasswordLink(Model):
    """A one-time token that sets a user's password."""

    token: str
    expires_at: AwareDatetime


class Login(Model):
    """A session's tokens."""

    access_token: str
    token_type: str
    expires_in: int
    """Seconds that the access token is good."""
    refresh_token: str
    """Good once: each answer brings the next."""


class NewApiKey(ApiKey):
    """A key with its secret, which is shown only this once."""

    key: str


class Permission(Model):
    """A permission."""

    name: str
    description: str


class Placement(Model):
    """The shard that holds a client, and the epoch of that."""

    client_id: UUID
    shard: str
    epoch: int
    state: str


class Principal(Model):
    """Who is calling: limits are counted and audit rows written by this id."""

    kind: str
    id: UUID


class RecoveryCodes(Model):
    """Codes for the loss of the device: shown this once, each works once."""

    recovery_codes: Sequence[str]


class PresignedRequest(Model):
    """A request to make against the object store, with these headers and no others of its kind."""

    method: str
    url: str
    headers: Mapping[str, str]


class BatchResult(Model):
    """What one operation did: `document` with its `etag`, or `error`, a problem."""

    status: int
    etag: str | None = None
    document: Document | None = None
    error: Mapping[str, Any] | None = None


class Role(Model):
    """A role. Of built-in ones only `mfa_required` can change."""

    id: UUID
    name: str
    description: str
    built_in: bool
    created_at: AwareDatetime
    mfa_required: bool
    """Its holders may do nothing before they have a second factor."""
    permissions: Sequence[str]


class UserSession(Model):
    """How a person came in."""

    id: UUID
    logged_in_at: AwareDatetime
    must_enrol_mfa: bool
    """A role demands a second factor: nothing is granted before it is set."""


class SignedHead(Model):
    """The newest head that was signed, kept apart from the tenant's shard; Ed25519."""

    seq: int
    chain_hash: str
    signed_at: AwareDatetime
    kid: UUID
    signature: str
    public_key: str | None = None


class UsageLimits(Model):
    """
    What the client may use; null: operators have set no limit of its own.

    `documents` are the living ones, as in `total`, and `bytes` those of all versions, as there.
    """

    documents: int | None = None
    bytes: int | None = None
    requests_per_second: float | None = None
    """In the place of all clients' limit; each answer's RateLimit has the rest."""


class UsageOfMonth(Model):
    """What was created in one month (UTC) and is still stored."""

    documents: int
    versions: int
    bytes: int
    """Of all these versions."""
    month: str


class UsageOfType(Model):
    """What is stored of one media type."""

    documents: int
    versions: int
    bytes: int
    """Of all these versions."""
    mime_type: str


class Usage(Model):
    """What is stored. Deleted documents are not counted; their versions are, until a purge."""

    documents: int
    versions: int
    bytes: int
    """Of all these versions."""


class User(Model):
    """A user."""

    id: UUID
    email: str
    mobile: str | None = None
    is_active: bool
    mfa: bool
    """Whether a second factor is set up."""
    created_at: AwareDatetime
    updated_at: AwareDatetime
    deleted_at: AwareDatetime | None = None


class Version(Model):
    """
    One immutable version of a document's content.

    `detected_type` is what the bytes look like; null: like nothing that is known.
    """

    id: UUID
    document_id: UUID
    version_number: int
    mime_type: str
    size: int
    checksum_sha256: str
    created_at: AwareDatetime
    created_by: UUID
    detected_type: str | None = None


class BatchResults(Model):
    """A result for each operation, in their order."""

    results: Sequence[BatchResult]


class ChainHead(Model):
    """The newest link of the chain, and the newest signed head."""

    seq: int
    chain_hash: str | None = None
    signed: SignedHead | None = None


class GlobalAuditLogPage(Model):
    """A page of all audit logs, newest first. `unavailable`: shards whose entries it misses."""

    items: Sequence[GlobalAuditLog]
    next_cursor: str | None = None
    unavailable: Sequence[str]


class Me(Model):
    """The caller."""

    principal: Principal
    user_id: UUID
    """The user, or the one who made the key."""
    api_key_id: UUID | None = None
    session: UserSession | None = None
    """Null for an API key."""
    grants: Sequence[Grant]


class UploadPart(PresignedRequest):
    """The request that uploads bytes `first` and following, `size` of them."""

    part_number: int
    first: int
    size: int


class Upload(Model):
    """Either `upload`, for the whole, or `parts`, each to be sent by its own request."""

    upload_id: UUID
    expires_at: AwareDatetime
    upload: PresignedRequest | None = None
    parts: Sequence[UploadPart]


class UsageReport(Model):
    """
    What a client stores, as it was at `as_of`, and what it may, as it is now.

    At most 120 types, those of the most bytes, and the newest 120 months: what is missing to
    `total` belongs to the others.
    """

    as_of: AwareDatetime
    limits: UsageLimits
    total: Usage
    by_mime_type: Sequence[UsageOfType]
    by_month: Sequence[UsageOfMonth]


class AuditVerification(Model):
    """
    Whether the chain is sound as far as it was looked at.

    `next_cursor` says where to go on, null when all was looked at.
    """

    ok: bool
    first_bad_seq: int | None = None
    head: ChainHead
    checked: int
    """Links looked at for this answer."""
    findings: Sequence[ChainFinding]
    next_cursor: str | None = None


class NewDocument(Document):
    """A new document; with `upload` when size and checksum were given."""

    upload: Upload | None = None


__all__ = [
    "ApiKey",
    "AuditLog",
    "AuditVerification",
    "BatchResult",
    "BatchResults",
    "ChainFinding",
    "ChainHead",
    "Change",
    "Client",
    "Document",
    "GlobalAuditLog",
    "GlobalAuditLogPage",
    "Grant",
    "HeldRole",
    "Jwk",
    "Jwks",
    "Login",
    "Me",
    "MfaEnrolment",
    "NewApiKey",
    "NewDocument",
    "PasswordLink",
    "Permission",
    "Placement",
    "PresignedRequest",
    "Principal",
    "RecoveryCodes",
    "Role",
    "SignedHead",
    "Upload",
    "UploadPart",
    "Usage",
    "UsageLimits",
    "UsageOfMonth",
    "UsageOfType",
    "UsageReport",
    "User",
    "UserSession",
    "Version",
]

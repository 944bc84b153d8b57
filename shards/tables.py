"""One shard's tables: the one truth that statements are built from.

The migrations make them; a test replays the migrations and compares. `TENANT_TABLES` is the
registry of what belongs to a tenant: what is fenced, secured, moved, exported and swept.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INET, JSONB

from global_db.columns import canary_table, deleted_at, living, metadata, moment

METADATA = metadata()
_NO_METADATA = sa.text("'{}'::jsonb")


def _client() -> sa.Column[UUID]:
    return sa.Column("client_id", sa.Uuid, nullable=False)


residency = sa.Table(
    "residency",
    METADATA,
    sa.Column("client_id", sa.Uuid, primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("move_id", sa.Uuid),
    sa.Column("generation", sa.BigInteger),
    moment("changed_at", default_now=True),
    sa.CheckConstraint("epoch > 0", name="epoch"),
    sa.CheckConstraint("state IN ('importing', 'open', 'fenced', 'gone')", name="state"),
    sa.CheckConstraint(
        "state = 'open' OR (move_id IS NOT NULL AND generation IS NOT NULL)", name="owner"
    ),
)
sa.Index(
    "idx_residency_move",
    residency.c.move_id,
    postgresql_where=sa.text("move_id IS NOT NULL AND state <> 'gone'"),
)

documents = sa.Table(
    "documents",
    METADATA,
    _client(),
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("original_name", sa.Text, nullable=False),
    sa.Column("s3_key", sa.Text),
    sa.Column("mime_type", sa.Text, nullable=False),
    sa.Column("current_version", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("size", sa.BigInteger),
    sa.Column("checksum_sha256", sa.LargeBinary),
    sa.Column("metadata", JSONB, nullable=False, server_default=_NO_METADATA),
    sa.Column("row_version", sa.BigInteger, nullable=False, server_default=sa.text("1")),
    moment("created_at", default_now=True),
    sa.Column("created_by", sa.Uuid, nullable=False),
    moment("updated_at", default_now=True),
    deleted_at(),
    sa.Column("legal_hold", sa.Boolean, nullable=False, server_default=sa.false()),
    moment("retain_until", nullable=True),
    sa.PrimaryKeyConstraint("client_id", "id"),
    sa.CheckConstraint("length(original_name) BETWEEN 1 AND 255", name="original_name"),
    sa.CheckConstraint("jsonb_typeof(metadata) = 'object'", name="metadata"),
    sa.CheckConstraint(
        """CASE current_version
            WHEN 0 THEN num_nonnulls(s3_key, size, checksum_sha256) = 0
            ELSE current_version > 0 AND num_nulls(s3_key, size, checksum_sha256) = 0
        END""",
        name="content",
    ),
)
_SORTS: dict[str, list[sa.ColumnElement[Any]]] = {
    "created_at": [documents.c.created_at],
    "updated_at": [documents.c.updated_at],
    "original_name": [sa.collate(documents.c.original_name, "C")],
    "mime_type": [documents.c.mime_type, documents.c.created_at],
}
for _alive, _which in ((living(documents), "living"), (~living(documents), "deleted")):
    for _sorted, _keys in _SORTS.items():
        sa.Index(
            f"idx_documents_{_which}_{_sorted}",
            documents.c.client_id,
            *_keys,
            documents.c.id,
            postgresql_where=_alive,
        )
# The tenant is in every key: see migrations/sql/0004_name_keys.sql.
sa.Index(
    "idx_documents_name_keys",
    sa.func.docshard.name_keys(documents.c.client_id, documents.c.original_name),
    postgresql_using="gin",
    postgresql_with={"fastupdate": "off"},
)
sa.Index(
    "idx_documents_metadata",
    documents.c.client_id,
    documents.c.metadata,
    postgresql_using="gin",
    postgresql_ops={"metadata": "jsonb_path_ops"},
)

document_versions = sa.Table(
    "document_versions",
    METADATA,
    _client(),
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("document_id", sa.Uuid, nullable=False),
    sa.Column("version_number", sa.Integer, nullable=False),
    sa.Column("s3_key", sa.Text, nullable=False),
    sa.Column("checksum_sha256", sa.LargeBinary, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("mime_type", sa.Text, nullable=False),
    moment("created_at", default_now=True),
    sa.Column("created_by", sa.Uuid, nullable=False),
    sa.Column("detected_type", sa.Text),
    sa.PrimaryKeyConstraint("client_id", "id"),
    sa.UniqueConstraint("client_id", "document_id", "version_number"),
    sa.ForeignKeyConstraint(["client_id", "document_id"], [documents.c.client_id, documents.c.id]),
    sa.CheckConstraint("version_number > 0", name="version_number"),
    sa.CheckConstraint("octet_length(checksum_sha256) = 32", name="checksum_sha256"),
    sa.CheckConstraint("size >= 0", name="size"),
)
sa.Index(
    "idx_document_versions_usage",
    document_versions.c.client_id,
    document_versions.c.mime_type,
    document_versions.c.created_at,
    document_versions.c.size,
)

uploads = sa.Table(
    "uploads",
    METADATA,
    _client(),
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("document_id", sa.Uuid, nullable=False),
    sa.Column("s3_key", sa.Text, nullable=False),
    sa.Column("s3_upload_id", sa.Text),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("mime_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger),
    sa.Column("checksum_sha256", sa.LargeBinary),
    moment("created_at", default_now=True),
    sa.Column("created_by", sa.Uuid, nullable=False),
    moment("expires_at"),
    moment("abandoned_at", nullable=True),
    sa.PrimaryKeyConstraint("client_id", "id"),
    sa.ForeignKeyConstraint(["client_id", "document_id"], [documents.c.client_id, documents.c.id]),
    sa.CheckConstraint("kind IN ('stream', 'presigned', 'multipart')", name="kind"),
    sa.CheckConstraint("size >= 0", name="size"),
    sa.CheckConstraint("octet_length(checksum_sha256) = 32", name="checksum_sha256"),
)
sa.Index("idx_uploads_document", uploads.c.client_id, uploads.c.document_id)
sa.Index("idx_uploads_expires_at", uploads.c.client_id, uploads.c.expires_at)

purged_blobs = sa.Table(
    "purged_blobs",
    METADATA,
    _client(),
    sa.Column("s3_key", sa.Text, nullable=False),
    sa.Column("document_id", sa.Uuid, nullable=False),
    moment("purged_at", default_now=True),
    moment("due_at"),
    sa.PrimaryKeyConstraint("client_id", "s3_key"),
)
sa.Index("idx_purged_blobs_due_at", purged_blobs.c.client_id, purged_blobs.c.due_at)

idempotency_keys = sa.Table(
    "idempotency_keys",
    METADATA,
    _client(),
    sa.Column("principal_id", sa.Uuid, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("request_hash", sa.LargeBinary, nullable=False),
    sa.Column("outcome", JSONB),
    moment("created_at", default_now=True),
    moment("expires_at"),
    sa.PrimaryKeyConstraint("client_id", "principal_id", "key"),
    sa.CheckConstraint("length(key) BETWEEN 1 AND 255", name="key"),
    sa.CheckConstraint("octet_length(request_hash) = 32", name="request_hash"),
)
sa.Index(
    "idx_idempotency_keys_expires_at", idempotency_keys.c.client_id, idempotency_keys.c.expires_at
)

audit_logs = sa.Table(
    "audit_logs",
    METADATA,
    _client(),
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("user_id", sa.Uuid),
    sa.Column("api_key_id", sa.Uuid),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("entity_type", sa.Text, nullable=False),
    sa.Column("entity_id", sa.Uuid, nullable=False),
    sa.Column("changes", JSONB, nullable=False, server_default=_NO_METADATA),
    sa.Column("ip_address", INET),
    sa.Column("request_id", sa.Text),
    sa.Column("content_hash", sa.LargeBinary, nullable=False),
    moment("created_at", default_now=True),
    sa.PrimaryKeyConstraint("client_id", "created_at", "id"),
    sa.CheckConstraint("octet_length(content_hash) = 32", name="content_hash"),
    postgresql_partition_by="RANGE (created_at)",
)
for _name, _column in (("user", "user_id"), ("action", "action"), ("entity", "entity_id")):
    sa.Index(
        f"idx_audit_logs_{_name}",
        audit_logs.c.client_id,
        audit_logs.c[_column],
        audit_logs.c.created_at,
        audit_logs.c.id,
    )

audit_chain = sa.Table(
    "audit_chain",
    METADATA,
    _client(),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("audit_id", sa.Uuid, nullable=False),
    moment("audit_created_at"),
    sa.Column("chain_hash", sa.LargeBinary, nullable=False),
    moment("linked_at", default_now=True),
    sa.Column("content_hash", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("client_id", "seq"),
    sa.UniqueConstraint("client_id", "audit_id"),
    sa.CheckConstraint("seq > 0", name="seq"),
    sa.CheckConstraint("octet_length(chain_hash) = 32", name="chain_hash"),
    sa.CheckConstraint("octet_length(content_hash) = 32", name="content_hash"),
)

audit_pending = sa.Table(
    "audit_pending",
    METADATA,
    _client(),
    moment("audit_created_at"),
    sa.Column("audit_id", sa.Uuid, nullable=False),
    sa.Column("content_hash", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("client_id", "audit_created_at", "audit_id"),
)

# The one index that does not lead with client_id: it serves the merged list of all tenants, and by
# an expression of its own, so that no query about one tenant walks it.
sa.Index("idx_audit_logs_time", sa.text("(created_at AT TIME ZONE 'UTC')"), audit_logs.c.id)

audit_archives = sa.Table(
    "audit_archives",
    METADATA,
    _client(),
    sa.Column("archive_id", sa.Uuid, nullable=False),
    sa.Column("month", sa.Date, nullable=False),
    sa.Column("s3_key", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger),
    sa.Column("size", sa.BigInteger),
    sa.Column("sha256", sa.LargeBinary),
    sa.Column("first_seq", sa.BigInteger),
    sa.Column("last_seq", sa.BigInteger),
    moment("created_at", default_now=True),
    moment("stored_at", nullable=True),
    sa.PrimaryKeyConstraint("client_id", "archive_id"),
    sa.CheckConstraint(
        "stored_at IS NULL OR num_nulls(rows, size, sha256, first_seq, last_seq) = 0",
        name="stored",
    ),
    sa.CheckConstraint("octet_length(sha256) = 32", name="sha256"),
)
sa.Index("idx_audit_archives_month", audit_archives.c.client_id, audit_archives.c.month)

canaries = canary_table(METADATA)

TENANT_TABLES = (
    documents,
    document_versions,
    uploads,
    idempotency_keys,
    audit_logs,
    audit_chain,
    audit_pending,
    purged_blobs,
    audit_archives,
)

"""The global database's tables of audit chains: the global log's own, and every chain's heads."""

from __future__ import annotations

import sqlalchemy as sa

from global_db.columns import moment
from global_db.tables import METADATA

audit_pending = sa.Table(
    "audit_pending",
    METADATA,
    moment("audit_created_at"),
    sa.Column("audit_id", sa.Uuid, nullable=False),
    sa.Column("content_hash", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("audit_created_at", "audit_id"),
)

audit_chain = sa.Table(
    "audit_chain",
    METADATA,
    sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
    sa.Column("audit_id", sa.Uuid, nullable=False),
    moment("audit_created_at"),
    sa.Column("content_hash", sa.LargeBinary, nullable=False),
    sa.Column("chain_hash", sa.LargeBinary, nullable=False),
    moment("linked_at", default_now=True),
    sa.PrimaryKeyConstraint("seq"),
    sa.UniqueConstraint("audit_id"),
    sa.CheckConstraint("seq > 0", name="seq"),
    sa.CheckConstraint("octet_length(content_hash) = 32", name="content_hash"),
    sa.CheckConstraint("octet_length(chain_hash) = 32", name="chain_hash"),
)

audit_heads = sa.Table(
    "audit_heads",
    METADATA,
    sa.Column("client_id", sa.Uuid, nullable=False),
    sa.Column("signed_on", sa.Date, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("chain_hash", sa.LargeBinary, nullable=False),
    moment("signed_at"),
    sa.Column("kid", sa.Uuid, nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("client_id", "signed_on"),
    sa.CheckConstraint("seq > 0", name="seq"),
    sa.CheckConstraint("octet_length(chain_hash) = 32", name="chain_hash"),
    sa.CheckConstraint("octet_length(signature) = 64", name="signature"),
)

"""The global database's table of erasures: see migrations/sql/0008_erasures.sql."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from global_db.columns import moment
from global_db.tables import METADATA

BEING_ERASED: Final = "DS021"
"""SQLSTATE of what is refused to a client whose erasure has begun, or has ended."""

erasures = sa.Table(
    "erasures",
    METADATA,
    sa.Column("client_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'begun'")),
    sa.Column("shard", sa.Text, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=sa.text("''")),
    moment("deleted_at"),
    moment("begun_at", default_now=True),
    sa.Column("found", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    moment("erased_at", nullable=True),
    sa.Column("certificate", JSONB),
    sa.CheckConstraint("state IN ('begun', 'counted', 'erased')", name="state"),
    sa.CheckConstraint(
        "(state = 'erased') = (certificate IS NOT NULL)"
        " AND (state = 'erased') = (erased_at IS NOT NULL)",
        name="certificate",
    ),
)

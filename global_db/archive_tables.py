"""The global database's table of audit months on their way to the object store."""

from __future__ import annotations

import sqlalchemy as sa

from global_db.columns import moment
from global_db.tables import METADATA

audit_archives = sa.Table(
    "audit_archives",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("cluster", sa.Text, nullable=False),
    sa.Column("month", sa.Date, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default=sa.text("'planned'")),
    sa.Column("rows", sa.BigInteger),
    sa.Column("objects", sa.BigInteger),
    sa.Column("size", sa.BigInteger),
    sa.Column("problem", sa.Text),
    moment("created_at", default_now=True),
    moment("updated_at", default_now=True),
    sa.CheckConstraint("state IN ('planned', 'detached', 'stored', 'dropped')", name="state"),
    sa.CheckConstraint(
        "state NOT IN ('stored', 'dropped') OR num_nulls(rows, objects, size) = 0", name="stored"
    ),
)
sa.Index(
    "idx_audit_archives_living",
    audit_archives.c.cluster,
    audit_archives.c.month,
    unique=True,
    postgresql_where=audit_archives.c.state != sa.literal_column("'dropped'"),
)

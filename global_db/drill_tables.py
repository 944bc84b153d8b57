"""Tables of drills: the row of each minute on every cluster, and what drills have shown."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from global_db.columns import canary_table, moment
from global_db.tables import METADATA

canaries = canary_table(METADATA)

drills = sa.Table(
    "drills",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("cluster", sa.Text, nullable=False),
    moment("begun_at"),
    moment("target_at"),
    sa.Column("backup", sa.Text, nullable=False),
    sa.Column("repository", sa.Integer, nullable=False),
    sa.Column("restored_bytes", sa.BigInteger, nullable=False),
    sa.Column("rpo_seconds", sa.Double, nullable=False),
    sa.Column("rto_seconds", sa.Double, nullable=False),
    sa.Column("good", sa.Boolean, nullable=False),
    sa.Column("findings", JSONB, nullable=False),
    sa.Column("checked", JSONB, nullable=False),
    sa.CheckConstraint("jsonb_typeof(findings) = 'array'", name="findings"),
    sa.CheckConstraint("jsonb_typeof(checked) = 'object'", name="checked"),
)
sa.Index("idx_drills_cluster", drills.c.cluster, drills.c.begun_at)

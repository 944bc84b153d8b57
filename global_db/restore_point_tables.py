"""The global database's table of restore points."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from global_db.columns import moment
from global_db.tables import METADATA

restore_points = sa.Table(
    "restore_points",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("positions", JSONB, nullable=False),
    moment("created_at", default_now=True),
    sa.UniqueConstraint("name"),
    sa.CheckConstraint("label ~ '^[a-z0-9][a-z0-9_.-]{0,39}$'", name="label"),
    sa.CheckConstraint("jsonb_typeof(positions) = 'object'", name="positions"),
)
sa.Index("idx_restore_points_created_at", restore_points.c.created_at)

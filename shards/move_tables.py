"""A shard's tables about moves: they are the mover's own and belong to no tenant."""

from __future__ import annotations

import sqlalchemy as sa

from global_db.columns import moment
from shards.tables import METADATA

move_claims = sa.Table(
    "move_claims",
    METADATA,
    sa.Column("move_id", sa.Uuid, primary_key=True),
    sa.Column("generation", sa.BigInteger, nullable=False),
    moment("claimed_at", default_now=True),
)

move_markers = sa.Table(
    "move_markers",
    METADATA,
    sa.Column("move_id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    moment("put_at", default_now=True),
)

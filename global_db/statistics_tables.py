"""The global database's tables about what each client stores and how often it is served."""

from __future__ import annotations

import sqlalchemy as sa

from global_db.columns import moment
from global_db.tables import METADATA, clients


def _client() -> sa.Column[object]:
    return sa.Column(
        "client_id", sa.Uuid, sa.ForeignKey(clients.c.id, ondelete="CASCADE"), primary_key=True
    )


# Levels and their aging: see migrations/sql/0007_client_statistics.sql.
client_rates = sa.Table(
    "client_rates",
    METADATA,
    _client(),
    sa.Column("reads_level", sa.Double),
    sa.Column("writes_level", sa.Double),
    moment("updated_at", default_now=True),
    prefixes=["UNLOGGED"],
)
for _name in ("reads", "writes"):
    sa.Index(
        f"idx_client_rates_{_name}",
        client_rates.c[f"{_name}_level"].desc().nulls_last(),
        client_rates.c.client_id,
    )

client_sizes = sa.Table(
    "client_sizes",
    METADATA,
    _client(),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    moment("measured_at", default_now=True),
    sa.CheckConstraint("rows >= 0", name="rows"),
    sa.CheckConstraint("bytes >= 0", name="bytes"),
)
for _name in ("rows", "bytes"):
    sa.Index(f"idx_client_sizes_{_name}", client_sizes.c[_name].desc(), client_sizes.c.client_id)

"""The global database's table of what clients may use."""

from __future__ import annotations

import sqlalchemy as sa

from global_db.columns import moment
from global_db.tables import METADATA, clients

# A row may be all NULL: it once held a limit. No row says the same.
client_quotas = sa.Table(
    "client_quotas",
    METADATA,
    sa.Column(
        "client_id", sa.Uuid, sa.ForeignKey(clients.c.id, ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("max_documents", sa.BigInteger),
    sa.Column("max_bytes", sa.BigInteger),
    sa.Column("requests_per_second", sa.Double),
    moment("updated_at", default_now=True),
    sa.CheckConstraint("max_documents >= 0", name="max_documents"),
    sa.CheckConstraint("max_bytes >= 0", name="max_bytes"),
    sa.CheckConstraint("requests_per_second > 0", name="requests_per_second"),
)

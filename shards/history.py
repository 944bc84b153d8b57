"""The history of the shards' schema, for who migrates: it brings Alembic along."""

from __future__ import annotations

from global_db.migration import history

HISTORY = history(__file__)

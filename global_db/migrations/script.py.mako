"""${message}.

Revision ID: ${up_revision}
"""

from __future__ import annotations

from global_db.migration import run_sql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, "${up_revision}.sql")


def downgrade() -> None:
    run_sql(__file__, "${up_revision}_down.sql")

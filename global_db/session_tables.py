"""The global database's tables about logging in: second factors, delays, links, refresh tokens."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INET

from global_db.columns import moment
from global_db.tables import METADATA, users

recovery_codes = sa.Table(
    "recovery_codes",
    METADATA,
    sa.Column("user_id", sa.Uuid, sa.ForeignKey(users.c.id), nullable=False),
    sa.Column("code_hash", sa.LargeBinary, nullable=False),
    moment("created_at", default_now=True),
    moment("used_at", nullable=True),
    sa.PrimaryKeyConstraint("user_id", "code_hash"),
    sa.CheckConstraint("octet_length(code_hash) = 32", name="code_hash"),
)

login_failures = sa.Table(
    "login_failures",
    METADATA,
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject_hash", sa.LargeBinary, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    moment("failed_at"),
    sa.PrimaryKeyConstraint("kind", "subject_hash"),
    sa.CheckConstraint("kind IN ('account', 'address')", name="kind"),
    sa.CheckConstraint("octet_length(subject_hash) = 32", name="subject_hash"),
    sa.CheckConstraint("failures >= 0", name="failures"),
)
sa.Index("idx_login_failures_failed_at", login_failures.c.failed_at)

password_links = sa.Table(
    "password_links",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey(users.c.id), nullable=False),
    sa.Column("token_hash", sa.LargeBinary, nullable=False),
    sa.Column("created_by", sa.Uuid, sa.ForeignKey(users.c.id), nullable=False),
    moment("created_at", default_now=True),
    moment("expires_at"),
    moment("used_at", nullable=True),
    sa.UniqueConstraint("token_hash"),
    sa.CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),
)
sa.Index(
    "idx_password_links_unused",
    password_links.c.user_id,
    unique=True,
    postgresql_where=password_links.c.used_at.is_(None),
)
sa.Index("idx_password_links_created_by", password_links.c.created_by)
sa.Index("idx_password_links_expires_at", password_links.c.expires_at)

sessions = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("family_id", sa.Uuid, nullable=False),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey(users.c.id), nullable=False),
    sa.Column("refresh_hash", sa.LargeBinary, nullable=False),
    sa.Column("ip_address", INET),
    moment("created_at", default_now=True),
    moment("expires_at"),
    moment("replaced_at", nullable=True),
    moment("revoked_at", nullable=True),
    moment("logged_in_at", default_now=True),
    sa.UniqueConstraint("refresh_hash"),
    sa.CheckConstraint("octet_length(refresh_hash) = 32", name="refresh_hash"),
)
sa.Index(
    "idx_sessions_newest",
    sessions.c.family_id,
    unique=True,
    postgresql_where=sessions.c.replaced_at.is_(None),
)
sa.Index("idx_sessions_user", sessions.c.user_id)
sa.Index("idx_sessions_expires_at", sessions.c.expires_at)

"""The global database's tables about people, clients and keys.

`session_tables` has those of logging in, `move_tables` those of moves.

They are the one truth that statements are built from. The migrations make them; a test replays the
migrations and compares.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB

from global_db.columns import deleted_at, living, metadata, moment

METADATA = metadata()
_EMPTY = sa.text("'{}'::jsonb")
_NOTHING = sa.text("''")

users = sa.Table(
    "users",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.LargeBinary, nullable=False),
    sa.Column("email_index", sa.LargeBinary, nullable=False),
    sa.Column("mobile", sa.LargeBinary),
    sa.Column("mobile_index", sa.LargeBinary),
    sa.Column("password_hash", sa.Text),
    sa.Column("mfa_secret", sa.LargeBinary),
    sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
    moment("created_at", default_now=True),
    moment("updated_at", default_now=True),
    deleted_at(),
    sa.Column("mfa_pending", sa.LargeBinary),
    sa.Column("mfa_last_step", sa.BigInteger),
    sa.CheckConstraint("octet_length(email_index) = 32", name="email_index"),
    sa.CheckConstraint("octet_length(mobile_index) = 32", name="mobile_index"),
    sa.CheckConstraint("(mobile IS NULL) = (mobile_index IS NULL)", name="mobile"),
)
for _field in ("email", "mobile"):
    sa.Index(
        f"idx_users_{_field}_unique",
        users.c[f"{_field}_index"],
        unique=True,
        postgresql_where=living(users),
    )
sa.Index("idx_users_active", users.c.id, postgresql_where=users.c.is_active & living(users))

permissions = sa.Table(
    "permissions",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("description", sa.Text, nullable=False),
)

roles = sa.Table(
    "roles",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=_NOTHING),
    sa.Column("built_in", sa.Boolean, nullable=False, server_default=sa.false()),
    moment("created_at", default_now=True),
    sa.Column("mfa_required", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("name"),
)

role_permissions = sa.Table(
    "role_permissions",
    METADATA,
    sa.Column("role_id", sa.Uuid, sa.ForeignKey(roles.c.id, ondelete="CASCADE"), nullable=False),
    sa.Column("permission", sa.Text, sa.ForeignKey(permissions.c.name), nullable=False),
    sa.PrimaryKeyConstraint("role_id", "permission"),
)
sa.Index("idx_role_permissions_permission", role_permissions.c.permission)

shards = sa.Table(
    "shards",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False, server_default=sa.text("'active'")),
    sa.Column("weight", sa.Numeric, nullable=False, server_default=sa.text("1")),
    sa.Column("nodes", JSONB, nullable=False),
    sa.Column("schema_revision", sa.Text),
    moment("created_at", default_now=True),
    sa.CheckConstraint("name ~ '^shard-[1-9][0-9]*$'", name="name"),
    sa.CheckConstraint("status IN ('active', 'draining', 'removed')", name="status"),
    sa.CheckConstraint("weight > 0", name="weight"),
    sa.CheckConstraint("jsonb_typeof(nodes) = 'array'", name="nodes"),
)

clients = sa.Table(
    "clients",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("metadata", JSONB, nullable=False, server_default=_EMPTY),
    sa.Column("status", sa.Text, nullable=False, server_default=sa.text("'active'")),
    sa.Column("managed_by", sa.Uuid, sa.ForeignKey(users.c.id)),
    sa.Column("shard", sa.Text, sa.ForeignKey(shards.c.name), nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False, server_default=sa.text("1")),
    sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    moment("created_at", default_now=True),
    moment("updated_at", default_now=True),
    deleted_at(),
    sa.CheckConstraint("status IN ('active', 'inactive', 'suspended')", name="status"),
    sa.CheckConstraint("epoch > 0", name="epoch"),
    sa.CheckConstraint("jsonb_typeof(metadata) = 'object'", name="metadata"),
)
sa.Index("idx_clients_code_unique", clients.c.code, unique=True, postgresql_where=living(clients))
sa.Index("idx_clients_status", clients.c.status, clients.c.id, postgresql_where=living(clients))
sa.Index(
    "idx_clients_metadata",
    clients.c.metadata,
    postgresql_using="gin",
    postgresql_ops={"metadata": "jsonb_path_ops"},
)
sa.Index("idx_clients_shard", clients.c.shard, clients.c.id)
sa.Index("idx_clients_managed_by", clients.c.managed_by)

user_roles = sa.Table(
    "user_roles",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, sa.ForeignKey(users.c.id), nullable=False),
    sa.Column("role_id", sa.Uuid, sa.ForeignKey(roles.c.id), nullable=False),
    sa.Column("client_id", sa.Uuid, sa.ForeignKey(clients.c.id)),
    sa.Column("granted_by", sa.Uuid),
    moment("created_at", default_now=True),
    sa.UniqueConstraint("user_id", "role_id", "client_id", postgresql_nulls_not_distinct=True),
)
sa.Index("idx_user_roles_role", user_roles.c.role_id)
sa.Index("idx_user_roles_client", user_roles.c.client_id)

api_keys = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("client_id", sa.Uuid, sa.ForeignKey(clients.c.id), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("key_hash", sa.LargeBinary, nullable=False),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    sa.Column("created_by", sa.Uuid, nullable=False),
    moment("created_at", default_now=True),
    moment("expires_at", nullable=True),
    moment("last_used_at", nullable=True),
    moment("revoked_at", nullable=True),
    sa.UniqueConstraint("key_hash"),
    sa.CheckConstraint("octet_length(key_hash) = 32", name="key_hash"),
)
sa.Index("idx_api_keys_client", api_keys.c.client_id, api_keys.c.id)

data_keys = sa.Table(
    "data_keys",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    moment("created_at", default_now=True),
    moment("retired_at", nullable=True),
    moment("activated_at", nullable=True, default_now=True),
    sa.CheckConstraint("retired_at IS NULL OR activated_at IS NOT NULL", name="retired_at"),
)
sa.Index(
    "idx_data_keys_active",
    data_keys.c.purpose,
    unique=True,
    postgresql_where=data_keys.c.activated_at.is_not(None) & data_keys.c.retired_at.is_(None),
)
sa.Index(
    "idx_data_keys_published",
    data_keys.c.purpose,
    unique=True,
    postgresql_where=data_keys.c.activated_at.is_(None),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    METADATA,
    sa.Column("principal_id", sa.Uuid, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("request_hash", sa.LargeBinary, nullable=False),
    sa.Column("outcome", JSONB),
    moment("created_at", default_now=True),
    moment("expires_at"),
    sa.PrimaryKeyConstraint("principal_id", "key"),
    sa.CheckConstraint("length(key) BETWEEN 1 AND 255", name="key"),
    sa.CheckConstraint("octet_length(request_hash) = 32", name="request_hash"),
)
sa.Index("idx_idempotency_keys_expires_at", idempotency_keys.c.expires_at)

audit_logs = sa.Table(
    "audit_logs",
    METADATA,
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("user_id", sa.Uuid),
    sa.Column("api_key_id", sa.Uuid),
    sa.Column("client_id", sa.Uuid),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("entity_type", sa.Text, nullable=False),
    sa.Column("entity_id", sa.Uuid, nullable=False),
    sa.Column("changes", JSONB, nullable=False, server_default=_EMPTY),
    sa.Column("ip_address", INET),
    sa.Column("request_id", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("content_hash", sa.LargeBinary, nullable=False),
    moment("created_at", default_now=True),
    sa.PrimaryKeyConstraint("created_at", "id"),
    sa.CheckConstraint("octet_length(content_hash) = 32", name="content_hash"),
    postgresql_partition_by="RANGE (created_at)",
)
for _name, _column in (
    ("user", "user_id"),
    ("client", "client_id"),
    ("action", "action"),
    ("entity", "entity_id"),
):
    sa.Index(
        f"idx_audit_logs_{_name}",
        audit_logs.c[_column],
        audit_logs.c.created_at,
        audit_logs.c.id,
    )

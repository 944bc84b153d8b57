-- The global database: who exists, who may do what, where tenants live, what is moving.

CREATE TABLE docshard.users (
    id            uuid        NOT NULL,
    -- Ciphertext (version | key id | nonce | AES-256-GCM), bound to table, column and row id; the
    -- *_index columns are keyed hashes of the canonical value: unique and exact look-up only.
    email         bytea       NOT NULL,
    email_index   bytea       NOT NULL,
    mobile        bytea,
    mobile_index  bytea,
    password_hash text,
    mfa_secret    bytea,
    is_active     boolean     NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    deleted_at    timestamptz,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT ck_users_email_index CHECK (octet_length(email_index) = 32),
    CONSTRAINT ck_users_mobile_index CHECK (octet_length(mobile_index) = 32),
    CONSTRAINT ck_users_mobile CHECK ((mobile IS NULL) = (mobile_index IS NULL))
);
-- Unique among the living: a deleted user frees the address.
CREATE UNIQUE INDEX idx_users_email_unique ON docshard.users (email_index) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX idx_users_mobile_unique ON docshard.users (mobile_index)
    WHERE deleted_at IS NULL;
CREATE INDEX idx_users_active ON docshard.users (id) WHERE is_active AND deleted_at IS NULL;

CREATE TABLE docshard.permissions (
    name        text NOT NULL,
    description text NOT NULL,
    CONSTRAINT pk_permissions PRIMARY KEY (name)
);

CREATE TABLE docshard.roles (
    id          uuid        NOT NULL,
    name        text        NOT NULL,
    description text        NOT NULL DEFAULT '',
    built_in    boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_roles PRIMARY KEY (id),
    CONSTRAINT uq_roles_name UNIQUE (name)
);

CREATE TABLE docshard.role_permissions (
    role_id    uuid NOT NULL,
    permission text NOT NULL,
    CONSTRAINT pk_role_permissions PRIMARY KEY (role_id, permission),
    CONSTRAINT fk_role_permissions_role_id FOREIGN KEY (role_id)
        REFERENCES docshard.roles (id) ON DELETE CASCADE,
    CONSTRAINT fk_role_permissions_permission FOREIGN KEY (permission)
        REFERENCES docshard.permissions (name)
);
CREATE INDEX idx_role_permissions_permission ON docshard.role_permissions (permission);

CREATE TABLE docshard.shards (
    name            text        NOT NULL,
    status          text        NOT NULL DEFAULT 'active',
    weight          numeric     NOT NULL DEFAULT 1,
    nodes           jsonb       NOT NULL,
    schema_revision text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_shards PRIMARY KEY (name),
    CONSTRAINT ck_shards_name CHECK (name ~ '^shard-[1-9][0-9]*$'),
    CONSTRAINT ck_shards_status CHECK (status IN ('active', 'draining', 'removed')),
    CONSTRAINT ck_shards_weight CHECK (weight > 0),
    CONSTRAINT ck_shards_nodes CHECK (jsonb_typeof(nodes) = 'array')
);

-- The directory is part of clients: (shard, epoch) is the one truth of where a tenant lives.
CREATE TABLE docshard.clients (
    id         uuid        NOT NULL,
    code       text        NOT NULL,
    name       text        NOT NULL,
    metadata   jsonb       NOT NULL DEFAULT '{}',
    status     text        NOT NULL DEFAULT 'active',
    managed_by uuid,
    shard      text        NOT NULL,
    epoch      bigint      NOT NULL DEFAULT 1,
    pinned     boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT pk_clients PRIMARY KEY (id),
    CONSTRAINT fk_clients_managed_by FOREIGN KEY (managed_by) REFERENCES docshard.users (id),
    CONSTRAINT fk_clients_shard FOREIGN KEY (shard) REFERENCES docshard.shards (name),
    CONSTRAINT ck_clients_status CHECK (status IN ('active', 'inactive', 'suspended')),
    CONSTRAINT ck_clients_epoch CHECK (epoch > 0),
    CONSTRAINT ck_clients_metadata CHECK (jsonb_typeof(metadata) = 'object')
);
CREATE UNIQUE INDEX idx_clients_code_unique ON docshard.clients (code) WHERE deleted_at IS NULL;
CREATE INDEX idx_clients_status ON docshard.clients (status, id) WHERE deleted_at IS NULL;
CREATE INDEX idx_clients_metadata ON docshard.clients USING gin (metadata jsonb_path_ops);
CREATE INDEX idx_clients_shard ON docshard.clients (shard, id);
CREATE INDEX idx_clients_managed_by ON docshard.clients (managed_by);

-- A grant is global where client_id is NULL.
CREATE TABLE docshard.user_roles (
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    role_id    uuid        NOT NULL,
    client_id  uuid,
    granted_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_user_roles PRIMARY KEY (id),
    CONSTRAINT uq_user_roles_user_id_role_id_client_id
        UNIQUE NULLS NOT DISTINCT (user_id, role_id, client_id),
    CONSTRAINT fk_user_roles_user_id FOREIGN KEY (user_id) REFERENCES docshard.users (id),
    CONSTRAINT fk_user_roles_role_id FOREIGN KEY (role_id) REFERENCES docshard.roles (id),
    CONSTRAINT fk_user_roles_client_id FOREIGN KEY (client_id) REFERENCES docshard.clients (id)
);
CREATE INDEX idx_user_roles_role ON docshard.user_roles (role_id);
CREATE INDEX idx_user_roles_client ON docshard.user_roles (client_id);

CREATE TABLE docshard.api_keys (
    id           uuid        NOT NULL,
    client_id    uuid        NOT NULL,
    name         text        NOT NULL,
    key_hash     bytea       NOT NULL,
    scopes       text[]      NOT NULL,
    created_by   uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash),
    CONSTRAINT fk_api_keys_client_id FOREIGN KEY (client_id) REFERENCES docshard.clients (id),
    CONSTRAINT ck_api_keys_key_hash CHECK (octet_length(key_hash) = 32)
);
CREATE INDEX idx_api_keys_client ON docshard.api_keys (client_id, id);

CREATE TABLE docshard.sessions (
    id           uuid        NOT NULL,
    family_id    uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    refresh_hash bytea       NOT NULL,
    ip_address   inet,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    replaced_at  timestamptz,
    revoked_at   timestamptz,
    CONSTRAINT pk_sessions PRIMARY KEY (id),
    CONSTRAINT uq_sessions_refresh_hash UNIQUE (refresh_hash),
    CONSTRAINT fk_sessions_user_id FOREIGN KEY (user_id) REFERENCES docshard.users (id),
    CONSTRAINT ck_sessions_refresh_hash CHECK (octet_length(refresh_hash) = 32)
);
CREATE INDEX idx_sessions_family ON docshard.sessions (family_id);
CREATE INDEX idx_sessions_user ON docshard.sessions (user_id);
CREATE INDEX idx_sessions_expires_at ON docshard.sessions (expires_at);

-- Keys wrapped by a key provider; what unwraps them is never in the database.
CREATE TABLE docshard.data_keys (
    id         uuid        NOT NULL,
    purpose    text        NOT NULL,
    provider   text        NOT NULL,
    wrapped    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    CONSTRAINT pk_data_keys PRIMARY KEY (id)
);
-- One key of each purpose is in use: of two processes that make the first one, one wins.
CREATE UNIQUE INDEX idx_data_keys_active ON docshard.data_keys (purpose) WHERE retired_at IS NULL;

CREATE TABLE docshard.idempotency_keys (
    principal_id uuid        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    outcome      jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (principal_id, key),
    CONSTRAINT ck_idempotency_keys_key CHECK (length(key) BETWEEN 1 AND 255),
    CONSTRAINT ck_idempotency_keys_request_hash CHECK (octet_length(request_hash) = 32)
);
CREATE INDEX idx_idempotency_keys_expires_at ON docshard.idempotency_keys (expires_at);

CREATE TABLE docshard.rebalances (
    id          uuid        NOT NULL,
    goal        text        NOT NULL,
    state       text        NOT NULL,
    reason      text        NOT NULL DEFAULT '',
    plan        jsonb       NOT NULL DEFAULT '{}',
    created_by  uuid,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT pk_rebalances PRIMARY KEY (id),
    CONSTRAINT ck_rebalances_goal CHECK (goal IN ('ring', 'load', 'drain')),
    CONSTRAINT ck_rebalances_state
        CHECK (state IN ('planned', 'running', 'paused', 'finished', 'stopped'))
);

CREATE TABLE docshard.moves (
    id           uuid        NOT NULL,
    rebalance_id uuid,
    source       text        NOT NULL,
    target       text        NOT NULL,
    state        text        NOT NULL,
    generation   bigint      NOT NULL DEFAULT 0,
    lease_owner  text,
    lease_until  timestamptz,
    predicted    jsonb       NOT NULL DEFAULT '{}',
    actual       jsonb       NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_moves PRIMARY KEY (id),
    CONSTRAINT fk_moves_rebalance_id FOREIGN KEY (rebalance_id)
        REFERENCES docshard.rebalances (id),
    CONSTRAINT fk_moves_source FOREIGN KEY (source) REFERENCES docshard.shards (name),
    CONSTRAINT fk_moves_target FOREIGN KEY (target) REFERENCES docshard.shards (name),
    CONSTRAINT ck_moves_apart CHECK (source <> target),
    CONSTRAINT ck_moves_state CHECK (state IN ('planned', 'copying', 'catching_up', 'verifying',
        'fenced', 'switched', 'swept', 'aborted'))
);
CREATE INDEX idx_moves_rebalance ON docshard.moves (rebalance_id);
CREATE INDEX idx_moves_source ON docshard.moves (source);
CREATE INDEX idx_moves_target ON docshard.moves (target);
CREATE INDEX idx_moves_living ON docshard.moves (state) WHERE state NOT IN ('swept', 'aborted');

-- The batch of a move: which tenant leaves at which epoch.
CREATE TABLE docshard.move_clients (
    move_id   uuid    NOT NULL,
    client_id uuid    NOT NULL,
    epoch     bigint  NOT NULL,
    ended     boolean NOT NULL DEFAULT false,
    CONSTRAINT pk_move_clients PRIMARY KEY (move_id, client_id),
    CONSTRAINT fk_move_clients_move_id FOREIGN KEY (move_id) REFERENCES docshard.moves (id),
    CONSTRAINT fk_move_clients_client_id FOREIGN KEY (client_id) REFERENCES docshard.clients (id)
);
-- A tenant is in one living move at most.
CREATE UNIQUE INDEX idx_move_clients_living ON docshard.move_clients (client_id) WHERE NOT ended;
CREATE INDEX idx_move_clients_client ON docshard.move_clients (client_id);

-- Debris is recorded before it is made.
CREATE TABLE docshard.leftovers (
    id         uuid        NOT NULL,
    move_id    uuid        NOT NULL,
    shard      text        NOT NULL,
    kind       text        NOT NULL,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,
    CONSTRAINT pk_leftovers PRIMARY KEY (id),
    CONSTRAINT fk_leftovers_move_id FOREIGN KEY (move_id) REFERENCES docshard.moves (id),
    CONSTRAINT fk_leftovers_shard FOREIGN KEY (shard) REFERENCES docshard.shards (name),
    CONSTRAINT ck_leftovers_kind
        CHECK (kind IN ('slot', 'publication', 'subscription', 'tenant'))
);
CREATE UNIQUE INDEX idx_leftovers_living ON docshard.leftovers (shard, kind, name)
    WHERE removed_at IS NULL;
CREATE INDEX idx_leftovers_move ON docshard.leftovers (move_id);

CREATE TABLE docshard.audit_logs (
    id           uuid        NOT NULL,
    user_id      uuid,
    api_key_id   uuid,
    client_id    uuid,
    action       text        NOT NULL,
    entity_type  text        NOT NULL,
    entity_id    uuid        NOT NULL,
    changes      jsonb       NOT NULL DEFAULT '{}',
    ip_address   inet,
    request_id   text,
    reason       text,
    content_hash bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_audit_logs PRIMARY KEY (created_at, id),
    CONSTRAINT ck_audit_logs_content_hash CHECK (octet_length(content_hash) = 32)
) PARTITION BY RANGE (created_at);
CREATE INDEX idx_audit_logs_user ON docshard.audit_logs (user_id, created_at, id);
CREATE INDEX idx_audit_logs_client ON docshard.audit_logs (client_id, created_at, id);
CREATE INDEX idx_audit_logs_action ON docshard.audit_logs (action, created_at, id);
CREATE INDEX idx_audit_logs_entity ON docshard.audit_logs (entity_id, created_at, id);
CREATE TABLE docshard.audit_logs_default PARTITION OF docshard.audit_logs DEFAULT;

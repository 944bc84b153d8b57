-- One shard's tables. Every key and every index leads with client_id, and client_id never changes
-- in a row: that is what lets a tenant be found, fenced, copied and swept by itself.

CREATE TABLE docshard.residency (
    client_id   uuid        NOT NULL,
    epoch       bigint      NOT NULL,
    state       text        NOT NULL,
    move_id     uuid,
    generation  bigint,
    changed_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_residency PRIMARY KEY (client_id),
    CONSTRAINT ck_residency_epoch CHECK (epoch > 0),
    CONSTRAINT ck_residency_state CHECK (state IN ('importing', 'open', 'fenced', 'gone')),
    -- A tenant that is not simply open is so because of a move, and the row names its owner.
    CONSTRAINT ck_residency_owner
        CHECK (state = 'open' OR (move_id IS NOT NULL AND generation IS NOT NULL))
);

CREATE TABLE docshard.documents (
    client_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    original_name   text        NOT NULL,
    s3_key          text,
    mime_type       text        NOT NULL,
    current_version integer     NOT NULL DEFAULT 0,
    size            bigint,
    checksum_sha256 bytea,
    metadata        jsonb       NOT NULL DEFAULT '{}',
    row_version     bigint      NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    created_by      uuid        NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz,
    CONSTRAINT pk_documents PRIMARY KEY (client_id, id),
    CONSTRAINT ck_documents_original_name CHECK (length(original_name) BETWEEN 1 AND 255),
    CONSTRAINT ck_documents_metadata CHECK (jsonb_typeof(metadata) = 'object'),
    -- A document has content exactly when it has a version.
    CONSTRAINT ck_documents_content CHECK (
        CASE current_version
            WHEN 0 THEN num_nonnulls(s3_key, size, checksum_sha256) = 0
            ELSE current_version > 0 AND num_nulls(s3_key, size, checksum_sha256) = 0
        END)
);
CREATE INDEX idx_documents_living ON docshard.documents (client_id, id) WHERE deleted_at IS NULL;
CREATE INDEX idx_documents_deleted ON docshard.documents (client_id, id)
    WHERE deleted_at IS NOT NULL;
CREATE INDEX idx_documents_mime_type ON docshard.documents (client_id, mime_type, id);
CREATE INDEX idx_documents_name ON docshard.documents
    USING gin (client_id, original_name gin_trgm_ops);
CREATE INDEX idx_documents_metadata ON docshard.documents
    USING gin (client_id, metadata jsonb_path_ops);

CREATE TABLE docshard.document_versions (
    client_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    document_id     uuid        NOT NULL,
    version_number  integer     NOT NULL,
    s3_key          text        NOT NULL,
    checksum_sha256 bytea       NOT NULL,
    size            bigint      NOT NULL,
    mime_type       text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    created_by      uuid        NOT NULL,
    CONSTRAINT pk_document_versions PRIMARY KEY (client_id, id),
    CONSTRAINT uq_document_versions_client_id_document_id_version_number
        UNIQUE (client_id, document_id, version_number),
    CONSTRAINT fk_document_versions_client_id FOREIGN KEY (client_id, document_id)
        REFERENCES docshard.documents (client_id, id),
    CONSTRAINT ck_document_versions_version_number CHECK (version_number > 0),
    CONSTRAINT ck_document_versions_checksum_sha256 CHECK (octet_length(checksum_sha256) = 32),
    CONSTRAINT ck_document_versions_size CHECK (size >= 0)
);

-- What is on its way to S3, written before the first byte: whatever a crash leaves behind there
-- has its row here, and the sweep finds it.
CREATE TABLE docshard.uploads (
    client_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    document_id     uuid        NOT NULL,
    s3_key          text        NOT NULL,
    s3_upload_id    text,
    kind            text        NOT NULL,
    mime_type       text        NOT NULL,
    size            bigint,
    checksum_sha256 bytea,
    created_at      timestamptz NOT NULL DEFAULT now(),
    created_by      uuid        NOT NULL,
    expires_at      timestamptz NOT NULL,
    -- Set by the sweep before it removes the blob: from then on the upload cannot become a version.
    abandoned_at    timestamptz,
    CONSTRAINT pk_uploads PRIMARY KEY (client_id, id),
    CONSTRAINT fk_uploads_client_id FOREIGN KEY (client_id, document_id)
        REFERENCES docshard.documents (client_id, id),
    CONSTRAINT ck_uploads_kind CHECK (kind IN ('stream', 'presigned', 'multipart')),
    CONSTRAINT ck_uploads_size CHECK (size >= 0),
    CONSTRAINT ck_uploads_checksum_sha256 CHECK (octet_length(checksum_sha256) = 32)
);
CREATE INDEX idx_uploads_document ON docshard.uploads (client_id, document_id);
CREATE INDEX idx_uploads_expires_at ON docshard.uploads (client_id, expires_at);

-- I2: the row commits with the effect it stands for, and holds the outcome to answer again.
CREATE TABLE docshard.idempotency_keys (
    client_id    uuid        NOT NULL,
    principal_id uuid        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    outcome      jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (client_id, principal_id, key),
    CONSTRAINT ck_idempotency_keys_key CHECK (length(key) BETWEEN 1 AND 255),
    CONSTRAINT ck_idempotency_keys_request_hash CHECK (octet_length(request_hash) = 32)
);
CREATE INDEX idx_idempotency_keys_expires_at ON docshard.idempotency_keys (client_id, expires_at);

CREATE TABLE docshard.audit_logs (
    client_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    user_id      uuid,
    api_key_id   uuid,
    action       text        NOT NULL,
    entity_type  text        NOT NULL,
    entity_id    uuid        NOT NULL,
    changes      jsonb       NOT NULL DEFAULT '{}',
    ip_address   inet,
    request_id   text,
    content_hash bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_audit_logs PRIMARY KEY (client_id, created_at, id),
    CONSTRAINT ck_audit_logs_content_hash CHECK (octet_length(content_hash) = 32)
) PARTITION BY RANGE (created_at);
CREATE INDEX idx_audit_logs_user ON docshard.audit_logs (client_id, user_id, created_at, id);
CREATE INDEX idx_audit_logs_action ON docshard.audit_logs (client_id, action, created_at, id);
CREATE INDEX idx_audit_logs_entity ON docshard.audit_logs (client_id, entity_id, created_at, id);
CREATE TABLE docshard.audit_logs_default PARTITION OF docshard.audit_logs DEFAULT;

CREATE TABLE docshard.audit_chain (
    client_id        uuid        NOT NULL,
    seq              bigint      NOT NULL,
    audit_id         uuid        NOT NULL,
    audit_created_at timestamptz NOT NULL,
    chain_hash       bytea       NOT NULL,
    linked_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_audit_chain PRIMARY KEY (client_id, seq),
    CONSTRAINT uq_audit_chain_client_id_audit_id UNIQUE (client_id, audit_id),
    CONSTRAINT ck_audit_chain_seq CHECK (seq > 0),
    CONSTRAINT ck_audit_chain_chain_hash CHECK (octet_length(chain_hash) = 32)
);

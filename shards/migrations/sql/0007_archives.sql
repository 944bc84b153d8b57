-- The one index that does not lead with client_id: the newest rows of all tenants of the shard, for
-- the merged list of the service's own people (decision 0018). Rows arrive in its order, so it
-- grows at its end.
CREATE INDEX idx_audit_logs_time ON docshard.audit_logs ((created_at AT TIME ZONE 'UTC'), id);

-- What of a tenant's audit log lies in the object store. A row comes before its object, and
-- `stored_at` after the object was read again and found right. The rows move with their tenant;
-- objects stay where they are.
CREATE TABLE docshard.audit_archives (
    client_id  uuid        NOT NULL,
    archive_id uuid        NOT NULL,
    month      date        NOT NULL,
    s3_key     text        NOT NULL,
    rows       bigint,
    size       bigint,
    sha256     bytea,
    first_seq  bigint,
    last_seq   bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    stored_at  timestamptz,
    CONSTRAINT pk_audit_archives PRIMARY KEY (client_id, archive_id),
    CONSTRAINT ck_audit_archives_stored CHECK (
        stored_at IS NULL OR num_nulls(rows, size, sha256, first_seq, last_seq) = 0),
    CONSTRAINT ck_audit_archives_sha256 CHECK (octet_length(sha256) = 32)
);
CREATE INDEX idx_audit_archives_month ON docshard.audit_archives (client_id, month);

GRANT SELECT ON docshard.audit_archives TO docshard_app;
GRANT SELECT, INSERT, UPDATE ON docshard.audit_archives TO docshard_worker;

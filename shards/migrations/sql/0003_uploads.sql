-- A document that is held, or whose time has not come, is never purged.
ALTER TABLE docshard.documents
    ADD COLUMN legal_hold   boolean NOT NULL DEFAULT false,
    ADD COLUMN retain_until timestamptz;

-- What the bytes look like, whatever type was declared; NULL: like nothing that is known.
ALTER TABLE docshard.document_versions ADD COLUMN detected_type text;

-- Blobs of purged documents. They stay in the object store until no backup can bring back a row
-- that names them; then the worker removes them.
CREATE TABLE docshard.purged_blobs (
    client_id   uuid        NOT NULL,
    s3_key      text        NOT NULL,
    document_id uuid        NOT NULL,
    purged_at   timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz NOT NULL,
    CONSTRAINT pk_purged_blobs PRIMARY KEY (client_id, s3_key)
);
CREATE INDEX idx_purged_blobs_due_at ON docshard.purged_blobs (client_id, due_at);

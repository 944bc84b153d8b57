-- What the first revision had, built before the indexes that stood in for it are dropped.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_living
    ON docshard.documents (client_id, id) WHERE deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_deleted
    ON docshard.documents (client_id, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_mime_type
    ON docshard.documents (client_id, mime_type, id);

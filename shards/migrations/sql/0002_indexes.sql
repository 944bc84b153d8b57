-- Ways to list documents, each sort with its filters. Living and deleted ones have indexes apart,
-- so that a tenant that deleted a hundred thousand still lists the rest at once; together they hold
-- every row once. Times and names are not unique: the id makes the order total.
--
-- Built before the revision's transaction and outside any: writers are not held up. This waits for
-- transactions that are older, not the other way round.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_living_created_at
    ON docshard.documents (client_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_deleted_created_at
    ON docshard.documents (client_id, created_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_living_updated_at
    ON docshard.documents (client_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_deleted_updated_at
    ON docshard.documents (client_id, updated_at, id) WHERE deleted_at IS NOT NULL;
-- Names in the order of their code points, the same on every server whatever its locale.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_living_original_name
    ON docshard.documents (client_id, original_name COLLATE "C", id) WHERE deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_deleted_original_name
    ON docshard.documents (client_id, original_name COLLATE "C", id) WHERE deleted_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_living_mime_type
    ON docshard.documents (client_id, mime_type, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_deleted_mime_type
    ON docshard.documents (client_id, mime_type, created_at, id) WHERE deleted_at IS NOT NULL;

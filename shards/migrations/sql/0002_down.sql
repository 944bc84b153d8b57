-- Locks the table against writers for as long as it takes: on a big one, in a quiet hour.
DROP FUNCTION docshard.match_documents;
DROP INDEX docshard.idx_documents_living_created_at, docshard.idx_documents_deleted_created_at,
    docshard.idx_documents_living_updated_at, docshard.idx_documents_deleted_updated_at,
    docshard.idx_documents_living_original_name, docshard.idx_documents_deleted_original_name,
    docshard.idx_documents_living_mime_type, docshard.idx_documents_deleted_mime_type;
ALTER TABLE docshard.documents ALTER COLUMN client_id RESET (n_distinct);
CREATE INDEX idx_documents_living
    ON docshard.documents (client_id, id) WHERE deleted_at IS NULL;
CREATE INDEX idx_documents_deleted
    ON docshard.documents (client_id, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX idx_documents_mime_type
    ON docshard.documents (client_id, mime_type, id);

-- Built before the revision's transaction and outside any, as in 0002. Without a pending list: every
-- search would read all of it, 4 MB of everybody's keys.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_documents_name_keys
    ON docshard.documents USING gin (docshard.name_keys(client_id, original_name))
    WITH (fastupdate = off);
-- Nobody asks for statistics of it, and ANALYZE would make the keys of thirty thousand names.
ALTER INDEX docshard.idx_documents_name_keys ALTER COLUMN 1 SET STATISTICS 0;

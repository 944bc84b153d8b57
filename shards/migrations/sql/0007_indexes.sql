-- What lists and reports need, built before the revision's transaction and outside any.
--
-- PostgreSQL builds no index of a partitioned table concurrently: so each partition gets its own
-- here, and the revision itself only declares the whole, which takes them over. A query's rows are
-- statements to run.
SELECT format('CREATE INDEX CONCURRENTLY IF NOT EXISTS %I ON docshard.%I (created_at, id)',
              c.relname || '_time', c.relname)
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = to_regclass('docshard.audit_logs');
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_document_versions_usage
    ON docshard.document_versions (client_id, mime_type, created_at, size);

-- What lists and reports need, built before the revision's transaction and outside any.
--
-- PostgreSQL builds no index of a partitioned table concurrently: so each partition gets its own
-- here, and the revision itself only declares the whole, which takes them over. A query's rows are
-- statements to run. That of the time knows it as UTC: it leads with no tenant, and in a query about
-- one tenant the planner must not take it for a way (decision 18).
SELECT format('CREATE INDEX CONCURRENTLY IF NOT EXISTS %I ON docshard.%I '
              '((created_at AT TIME ZONE ''UTC''), id)',
              c.relname || '_time', c.relname)
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = to_regclass('docshard.audit_logs');
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_document_versions_usage
    ON docshard.document_versions (client_id, mime_type, created_at, size);

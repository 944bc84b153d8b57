-- Who may do what to which table. The application role is neither owner nor BYPASSRLS; what it may
-- not do at all (delete a version, change an audit row) it has no grant for.

-- The worker finds what has expired across tenants; to change it, it enters like everybody else.
CREATE POLICY worker_reads ON docshard.uploads FOR SELECT TO docshard_worker USING (true);
CREATE POLICY worker_reads ON docshard.idempotency_keys FOR SELECT TO docshard_worker USING (true);

GRANT SELECT ON docshard.residency TO docshard_app, docshard_worker;
GRANT SELECT, INSERT, UPDATE ON docshard.documents TO docshard_app, docshard_worker;
GRANT SELECT, INSERT ON docshard.document_versions TO docshard_app, docshard_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON docshard.uploads, docshard.idempotency_keys
    TO docshard_app, docshard_worker;
GRANT SELECT, INSERT ON docshard.audit_logs TO docshard_app, docshard_worker;
GRANT SELECT ON docshard.audit_chain TO docshard_app;
GRANT SELECT, INSERT ON docshard.audit_chain TO docshard_worker;
GRANT SELECT ON docshard.documents TO docshard_search;
GRANT EXECUTE ON FUNCTION docshard.admit TO docshard_app;
GRANT EXECUTE ON FUNCTION docshard.make_audit_partition TO docshard_worker;

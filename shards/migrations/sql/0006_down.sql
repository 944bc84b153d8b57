DROP POLICY worker_reads ON docshard.audit_chain;
DROP TRIGGER refuse_change ON docshard.audit_chain;
DROP TRIGGER queue_audit_row ON docshard.audit_logs;
DROP FUNCTION docshard.link_audit, docshard.queue_audit_row, docshard.chain_lock;
DROP AGGREGATE docshard.chained(bytea, bigint, bytea);
DROP FUNCTION docshard.extend_chain, docshard.chain_origin, docshard.chain_hash;
DROP TABLE docshard.audit_pending;
ALTER TABLE docshard.audit_chain DROP COLUMN content_hash;

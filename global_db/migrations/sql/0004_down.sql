REVOKE INSERT ON docshard.data_keys FROM docshard_worker;
DROP TABLE docshard.audit_heads;
DROP FUNCTION docshard.refuse_older_head;
DROP TRIGGER queue_audit_row ON docshard.audit_logs;
DROP FUNCTION docshard.link_audit, docshard.queue_audit_row;
DROP AGGREGATE docshard.chained(bytea, bigint, bytea);
DROP FUNCTION docshard.extend_chain, docshard.chain_origin, docshard.chain_hash;
DROP TABLE docshard.audit_chain, docshard.audit_pending;

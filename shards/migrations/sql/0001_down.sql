DROP TABLE docshard.audit_chain, docshard.audit_logs, docshard.idempotency_keys, docshard.uploads,
    docshard.document_versions, docshard.documents, docshard.residency CASCADE;
DROP FUNCTION docshard.hash_audit_row, docshard.make_audit_partition, docshard.refuse_change,
    docshard.admit, docshard.guard_row, docshard.guard_fence, docshard.enter, docshard.enter_write,
    docshard.demand_open, docshard.tenant_lock;

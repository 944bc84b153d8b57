REVOKE ALL ON docshard.residency, docshard.documents, docshard.document_versions, docshard.uploads,
    docshard.idempotency_keys, docshard.audit_logs, docshard.audit_chain, docshard.audit_pending,
    docshard.purged_blobs, docshard.audit_archives, docshard.alembic_version FROM docshard_mover;
DROP FUNCTION docshard.lock_tenants, docshard.claim_move, docshard.end_older_movers,
    docshard.as_mover;
DROP INDEX docshard.idx_residency_move;
DROP TABLE docshard.move_markers, docshard.move_claims;

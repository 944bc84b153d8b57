-- What is archived stays in the object store; the list of it goes with its table.
DROP FUNCTION docshard.newest_audit_rows, docshard.next_audit_tenant, docshard.audit_month_page,
    docshard.detached_audit_rows, docshard.audit_month_table, docshard.audit_content,
    docshard.stray_audit_months, docshard.audit_months, docshard.settle_audit_month,
    docshard.move_stray_audit_rows, docshard.detach_audit_month, docshard.drop_audit_month;
DROP TABLE docshard.audit_archives;
DROP INDEX docshard.idx_audit_logs_time, docshard.idx_document_versions_usage;
REVOKE SELECT ON docshard.audit_logs, docshard.audit_chain, docshard.residency
    FROM docshard_auditor;

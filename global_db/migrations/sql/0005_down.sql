DROP TRIGGER await_partitions ON docshard.moves;
DROP FUNCTION docshard.await_partitions, docshard.audit_content, docshard.audit_month_page,
    docshard.stray_audit_months, docshard.audit_months, docshard.settle_audit_month,
    docshard.move_stray_audit_rows, docshard.detach_audit_month, docshard.drop_audit_month;
DROP TABLE docshard.audit_archives;

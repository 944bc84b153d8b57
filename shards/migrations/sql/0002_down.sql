DROP FUNCTION docshard.purge_document;
DROP TRIGGER guard_retention ON docshard.documents;
DROP TRIGGER guard_purge ON docshard.documents;
DROP TRIGGER guard_purge ON docshard.document_versions;
DROP FUNCTION docshard.guard_retention, docshard.guard_purge;
DROP TABLE docshard.purged_blobs;
ALTER TABLE docshard.document_versions DROP COLUMN detected_type;
ALTER TABLE docshard.documents DROP COLUMN legal_hold, DROP COLUMN retain_until;

DROP FUNCTION docshard.purge_document;
DROP TRIGGER refuse_shorter_retention ON docshard.documents;
DROP TRIGGER refuse_delete ON docshard.documents;
DROP TRIGGER refuse_delete ON docshard.document_versions;
DROP FUNCTION docshard.refuse_shorter_retention, docshard.refuse_delete;
DROP TABLE docshard.purged_blobs;
ALTER TABLE docshard.document_versions DROP COLUMN detected_type;
ALTER TABLE docshard.documents DROP COLUMN legal_hold, DROP COLUMN retain_until;

GRANT UPDATE ON docshard.data_keys TO docshard_app;
DROP TRIGGER keep_data_keys ON docshard.data_keys;
DROP FUNCTION docshard.keep_data_keys;
DROP INDEX docshard.idx_data_keys_published, docshard.idx_data_keys_active;
-- The older schema knows no published key. Nothing was made with one: it goes.
DELETE FROM docshard.data_keys WHERE activated_at IS NULL;
CREATE UNIQUE INDEX idx_data_keys_active ON docshard.data_keys (purpose) WHERE retired_at IS NULL;
ALTER TABLE docshard.data_keys DROP CONSTRAINT ck_data_keys_retired_at, DROP COLUMN activated_at;

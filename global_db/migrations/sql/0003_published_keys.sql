-- A data key has three states: published (every process may learn to open with it, none makes
-- anything with it yet), in use, retired (opens what it made, makes nothing new).
-- The default keeps the running release right, which knows keys in use only.
ALTER TABLE docshard.data_keys ADD COLUMN activated_at timestamptz DEFAULT now();
UPDATE docshard.data_keys SET activated_at = created_at;
ALTER TABLE docshard.data_keys ADD CONSTRAINT ck_data_keys_retired_at
    CHECK (retired_at IS NULL OR activated_at IS NOT NULL);

DROP INDEX docshard.idx_data_keys_active;
-- One key of each purpose is in use: of two processes that make the first one, one wins.
CREATE UNIQUE INDEX idx_data_keys_active ON docshard.data_keys (purpose)
    WHERE activated_at IS NOT NULL AND retired_at IS NULL;
-- One waits to be used: a rotation that starts again finds the key of the one that was interrupted.
CREATE UNIQUE INDEX idx_data_keys_published ON docshard.data_keys (purpose)
    WHERE activated_at IS NULL;

-- A retired key opens what old backups hold. Without it they are noise, and nothing brings it back.
CREATE FUNCTION docshard.keep_data_keys() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'data keys are never deleted: backups need them'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER keep_data_keys BEFORE DELETE OR TRUNCATE ON docshard.data_keys
    FOR EACH STATEMENT EXECUTE FUNCTION docshard.keep_data_keys();

-- Serving processes make first keys; only an operator's command changes one.
REVOKE UPDATE ON docshard.data_keys FROM docshard_app;

DROP TABLE docshard.password_links, docshard.login_failures, docshard.recovery_codes;
DROP INDEX docshard.idx_sessions_newest;
CREATE INDEX idx_sessions_family ON docshard.sessions (family_id);
ALTER TABLE docshard.sessions DROP COLUMN logged_in_at;
ALTER TABLE docshard.roles DROP COLUMN mfa_required;
ALTER TABLE docshard.users DROP COLUMN mfa_last_step, DROP COLUMN mfa_pending;

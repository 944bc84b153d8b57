-- What a login needs beyond a password: second factors, growing delays, one-time links; and what
-- rotating refresh tokens need beyond their hashes.

-- mfa_secret (0001) is the second factor in force. A secret that its owner has not confirmed by a
-- code yet waits apart from it, so that an abandoned enrolment locks nobody out.
ALTER TABLE docshard.users
    ADD COLUMN mfa_pending   bytea,
    -- The time step (30 s since 1970) of the newest code that was accepted: a code works once.
    ADD COLUMN mfa_last_step bigint;

-- Whoever holds such a role may do nothing before a second factor is set up.
ALTER TABLE docshard.roles ADD COLUMN mfa_required boolean NOT NULL DEFAULT false;

CREATE TABLE docshard.recovery_codes (
    user_id    uuid        NOT NULL,
    code_hash  bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz,
    CONSTRAINT pk_recovery_codes PRIMARY KEY (user_id, code_hash),
    CONSTRAINT fk_recovery_codes_user_id FOREIGN KEY (user_id) REFERENCES docshard.users (id),
    CONSTRAINT ck_recovery_codes_code_hash CHECK (octet_length(code_hash) = 32)
);

-- Failures since the last success, by what was guessed at (the blind index of an e-mail address,
-- whether anybody has it or not) and by where the guess came from (a digest of the network). An
-- attempt is counted before its password is looked at, so that a thousand at once are a thousand.
CREATE TABLE docshard.login_failures (
    kind         text        NOT NULL,
    subject_hash bytea       NOT NULL,
    failures     integer     NOT NULL,
    failed_at    timestamptz NOT NULL,
    CONSTRAINT pk_login_failures PRIMARY KEY (kind, subject_hash),
    CONSTRAINT ck_login_failures_kind CHECK (kind IN ('account', 'address')),
    CONSTRAINT ck_login_failures_subject_hash CHECK (octet_length(subject_hash) = 32),
    CONSTRAINT ck_login_failures_failures CHECK (failures >= 0)
);
CREATE INDEX idx_login_failures_failed_at ON docshard.login_failures (failed_at);

CREATE TABLE docshard.password_links (
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    token_hash bytea       NOT NULL,
    created_by uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT pk_password_links PRIMARY KEY (id),
    CONSTRAINT uq_password_links_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_password_links_user_id FOREIGN KEY (user_id) REFERENCES docshard.users (id),
    CONSTRAINT fk_password_links_created_by
        FOREIGN KEY (created_by) REFERENCES docshard.users (id),
    CONSTRAINT ck_password_links_token_hash CHECK (octet_length(token_hash) = 32)
);
-- One link of a user is good at a time: a new one takes the place of the one before.
CREATE UNIQUE INDEX idx_password_links_unused ON docshard.password_links (user_id)
    WHERE used_at IS NULL;
CREATE INDEX idx_password_links_created_by ON docshard.password_links (created_by);
CREATE INDEX idx_password_links_expires_at ON docshard.password_links (expires_at);

-- A row of sessions is one refresh token; the family is the session that the user knows.
ALTER TABLE docshard.sessions ADD COLUMN logged_in_at timestamptz NOT NULL DEFAULT now();
-- One refresh token of a family is the newest: two rotations at once cannot fork it, and the family
-- has ended when this one is revoked or has expired.
DROP INDEX docshard.idx_sessions_family;
CREATE UNIQUE INDEX idx_sessions_newest ON docshard.sessions (family_id)
    WHERE replaced_at IS NULL;

GRANT SELECT ON docshard.recovery_codes, docshard.login_failures, docshard.password_links
    TO docshard_app, docshard_worker;
GRANT INSERT, DELETE, UPDATE (used_at) ON docshard.recovery_codes TO docshard_app;
GRANT INSERT, UPDATE, DELETE ON docshard.login_failures TO docshard_app;
GRANT INSERT, DELETE, UPDATE (used_at) ON docshard.password_links TO docshard_app;
GRANT DELETE ON docshard.login_failures, docshard.password_links TO docshard_worker;

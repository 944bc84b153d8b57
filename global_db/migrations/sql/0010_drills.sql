-- A row of each minute, on every cluster: the newest one that a restore brings back says how much a
-- disaster costs. `lsn` is where the WAL was when it was written, in bytes: its commit is right behind.
CREATE TABLE docshard.canaries (
    written_at timestamptz NOT NULL,
    lsn        bigint      NOT NULL,
    CONSTRAINT pk_canaries PRIMARY KEY (written_at)
);
GRANT SELECT, INSERT, DELETE ON docshard.canaries TO docshard_worker;
GRANT SELECT ON docshard.canaries TO docshard_mover;

-- What restores that were tried have shown. Good ones and others are kept; nobody changes them.
CREATE TABLE docshard.drills (
    id            uuid             NOT NULL,
    cluster       text             NOT NULL,
    begun_at      timestamptz      NOT NULL,
    target_at     timestamptz      NOT NULL,
    backup        text             NOT NULL,
    repository    integer          NOT NULL,
    restored_bytes bigint          NOT NULL,
    rpo_seconds   double precision NOT NULL,
    rto_seconds   double precision NOT NULL,
    good          boolean          NOT NULL,
    findings      jsonb            NOT NULL,
    checked       jsonb            NOT NULL,
    CONSTRAINT pk_drills PRIMARY KEY (id),
    CONSTRAINT ck_drills_findings CHECK (jsonb_typeof(findings) = 'array'),
    CONSTRAINT ck_drills_checked CHECK (jsonb_typeof(checked) = 'object')
);
CREATE INDEX idx_drills_cluster ON docshard.drills (cluster, begun_at);

-- A row of each minute, as in the global database: no tenant's, and never moved.
CREATE TABLE docshard.canaries (
    written_at timestamptz NOT NULL,
    lsn        bigint      NOT NULL,
    CONSTRAINT pk_canaries PRIMARY KEY (written_at)
);
GRANT SELECT, INSERT, DELETE ON docshard.canaries TO docshard_worker;
GRANT SELECT ON docshard.canaries TO docshard_mover;

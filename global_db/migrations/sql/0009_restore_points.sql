-- A restore point: one name in the WAL of every cluster. `positions` says where it is, by cluster:
-- {"lsn": "0/7003630", "timeline": 1}. Names may repeat in WAL, silently: so each is a UUID's.
CREATE TABLE docshard.restore_points (
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    label      text        NOT NULL,
    positions  jsonb       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_restore_points PRIMARY KEY (id),
    CONSTRAINT uq_restore_points_name UNIQUE (name),
    CONSTRAINT ck_restore_points_label CHECK (label ~ '^[a-z0-9][a-z0-9_.-]{0,39}$'),
    CONSTRAINT ck_restore_points_positions CHECK (jsonb_typeof(positions) = 'object')
);
CREATE INDEX idx_restore_points_created_at ON docshard.restore_points (created_at);

GRANT SELECT, INSERT, DELETE ON docshard.restore_points TO docshard_worker;

-- Holds back, until the transaction ends, whatever changes the directory, moves, or the list of
-- shards; readers go on. SHARE waits for those who have written and not committed: when it is
-- granted, their commits are in the WAL. The owner's alone, since locking a table takes the rights
-- to change all of it.
--
-- The wait is shorter than deadlock_timeout: in a circle of waiting this is who gives up, and no
-- mover is chosen for it. SQLSTATE 55P03 then.
CREATE FUNCTION docshard.hold_placement(patience_ms integer) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('lock_timeout', least(patience_ms, 500)::text, true);
    LOCK TABLE docshard.moves, docshard.move_clients, docshard.clients, docshard.shards
        IN SHARE MODE;
END $$;
REVOKE EXECUTE ON FUNCTION docshard.hold_placement FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docshard.hold_placement TO docshard_worker, docshard_admin;

-- One month of one cluster's audit log on its way to the object store. Each step is recorded before
-- it is made, so that whoever comes next knows what may have been begun:
--   planned   its rows are checked; when all are right it is detached
--   detached  its rows go to the object store, tenant by tenant
--   stored    all objects were read again and found right; the table may be dropped
--   dropped   the end
CREATE TABLE docshard.audit_archives (
    id         uuid        NOT NULL,
    cluster    text        NOT NULL,
    month      date        NOT NULL,
    state      text        NOT NULL DEFAULT 'planned',
    rows       bigint,
    objects    bigint,
    size       bigint,
    problem    text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_audit_archives PRIMARY KEY (id),
    CONSTRAINT ck_audit_archives_state
        CHECK (state IN ('planned', 'detached', 'stored', 'dropped')),
    CONSTRAINT ck_audit_archives_stored CHECK (
        state NOT IN ('stored', 'dropped') OR num_nulls(rows, objects, size) = 0)
);
-- Rows of a month may come late, and then are an archive of their own; but one after the other.
CREATE UNIQUE INDEX idx_audit_archives_living ON docshard.audit_archives (cluster, month)
    WHERE state <> 'dropped';

GRANT SELECT ON docshard.audit_archives TO docshard_app;
GRANT SELECT, INSERT ON docshard.audit_archives TO docshard_worker;
GRANT UPDATE (state, rows, objects, size, problem, updated_at)
    ON docshard.audit_archives TO docshard_worker;

-- A move copies what its source has attached, and its streams know partitions by what they were: so
-- no month is settled or detached while a move of that shard lives, and no move begins meanwhile.
-- Who changes partitions holds this lock, as the lease of that name, before looking for moves; a
-- new move takes it shared until its row is committed.
CREATE FUNCTION docshard.await_partitions() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7346, hashtext('partitions of ' || name))
       FROM unnest(ARRAY[NEW.source, NEW.target]) AS name ORDER BY name;
    RETURN NEW;
END $$;
CREATE TRIGGER await_partitions BEFORE INSERT ON docshard.moves
    FOR EACH ROW EXECUTE FUNCTION docshard.await_partitions();

-- Months that come late, and months that go. Nobody but the owner may touch a partition, so each
-- step is a function of the owner's; the worker may run it, and it refuses what must not be.
--
-- SQLSTATEs: DS009 a month that is not as the step needs it.

-- A statement enters its tenant as it runs, and is planned for an average one: a large tenant's page
-- would sort all of its months instead of walking an index. With so few distinct values the planner
-- takes the largest tenant it has seen for the usual one (as in documents). Whatever makes a
-- partition says so of it; ANALYZE heeds it.
DO $$
DECLARE
    partition regclass;
BEGIN
    FOR partition IN SELECT inhrelid FROM pg_inherits
                      WHERE inhparent = 'docshard.audit_logs'::regclass LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN client_id SET (n_distinct = 1)', partition);
    END LOOP;
END $$;
ANALYZE docshard.audit_logs;

CREATE OR REPLACE FUNCTION docshard.make_audit_partition(day date) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    month date := date_trunc('month', day)::date;
    partition text := 'audit_logs_' || to_char(month, 'YYYY_MM');
    from_utc text := to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00';
    to_utc text := to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00';
BEGIN
    IF to_regclass('docshard.' || partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM set_config('lock_timeout', '200ms', true);
    EXECUTE format('CREATE TABLE docshard.%I (LIKE docshard.audit_logs INCLUDING DEFAULTS '
                   'INCLUDING CONSTRAINTS)', partition);
    EXECUTE format('ALTER TABLE docshard.%I ALTER COLUMN client_id SET (n_distinct = 1)',
                   partition);
    EXECUTE format('ALTER TABLE docshard.%I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE docshard.%I FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE docshard.audit_logs ATTACH PARTITION docshard.%I '
                   'FOR VALUES FROM (%L) TO (%L)', partition, from_utc, to_utc);
    RETURN true;
END $$;

-- The months that rows of the DEFAULT partition are of.
CREATE FUNCTION docshard.stray_audit_months() RETURNS SETOF date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT date_trunc('month', created_at AT TIME ZONE 'UTC')::date
      FROM docshard.audit_logs_default ORDER BY 1
$$;

-- The months that have a partition, and whether it is attached.
CREATE FUNCTION docshard.audit_months() RETURNS TABLE (month date, attached boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT to_date(substr(c.relname, 12), 'YYYY_MM'), c.relispartition
      FROM pg_class c
     WHERE c.relnamespace = 'docshard'::regnamespace AND c.relkind = 'r'
       AND c.relname ~ '^audit_logs_\d{4}_\d{2}$'
     ORDER BY 1
$$;

-- Moves a month's rows from DEFAULT into `target`. They go as they are, content_hash and all: the
-- table is no partition yet and has no triggers. I5: each row is deleted and inserted by the one
-- statement, so nobody sees it twice or not at all. The guard of DEFAULT's rows wants the tenant to
-- be set whose rows go; no row of it changes, so nothing has to be fenced.
CREATE FUNCTION docshard.move_stray_audit_rows(target text, from_utc timestamptz, to_utc timestamptz)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant uuid;
    moved bigint;
    total bigint := 0;
BEGIN
    FOR tenant IN SELECT DISTINCT client_id FROM docshard.audit_logs_default
                   WHERE created_at >= from_utc AND created_at < to_utc LOOP
        PERFORM set_config('app.client_id', tenant::text, true);
        EXECUTE format('WITH gone AS (DELETE FROM docshard.audit_logs_default WHERE client_id = $1'
                       ' AND created_at >= $2 AND created_at < $3 RETURNING *)'
                       ' INSERT INTO docshard.%I SELECT * FROM gone', target)
          USING tenant, from_utc, to_utc;
        GET DIAGNOSTICS moved = ROW_COUNT;
        total := total + moved;
    END LOOP;
    PERFORM set_config('app.client_id', '', true);
    RETURN total;
END $$;

-- Gives the rows of DEFAULT that are of this month the partition they lack; answers how many.
--
-- The bulk is moved under no lock that others feel: until the commit they see the rows where they
-- were. What was added meanwhile follows under an exclusive lock of the root, which is held for
-- that, the attaching and the commit. The lock of DEFAULT that ATTACH takes would not do: a
-- statement that had looked the partitions up and waited for DEFAULT would go on without the new
-- one, and miss the rows. Before the root, nobody has looked anything up.
--
-- Old snapshots stay right as well: they see the deleted rows and none of the inserted ones. The
-- replication stream of a move does not: the caller makes sure that none runs.
CREATE FUNCTION docshard.settle_audit_month(day date) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    month date := date_trunc('month', day)::date;
    partition text := 'audit_logs_' || to_char(month, 'YYYY_MM');
    from_utc text := to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00';
    to_utc text := to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00';
    total bigint;
    patience integer := 25;
BEGIN
    IF to_regclass('docshard.' || partition) IS NOT NULL THEN
        RAISE EXCEPTION 'the table of % is there, and is not attached', partition
            USING ERRCODE = 'DS009';
    END IF;
    EXECUTE format('CREATE TABLE docshard.%I (LIKE docshard.audit_logs INCLUDING DEFAULTS '
                   'INCLUDING CONSTRAINTS)', partition);
    total := docshard.move_stray_audit_rows(partition, from_utc::timestamptz, to_utc::timestamptz);
    EXECUTE format('ALTER TABLE docshard.%I ALTER COLUMN client_id SET (n_distinct = 1)',
                   partition);
    -- Built and checked now, so that attaching finds it done.
    EXECUTE format('ALTER TABLE docshard.%1$I ADD CONSTRAINT month CHECK (created_at >= %2$L AND '
                   'created_at < %3$L), ADD PRIMARY KEY (client_id, created_at, id)',
                   partition, from_utc, to_utc);
    EXECUTE format('CREATE INDEX ON docshard.%1$I (client_id, user_id, created_at, id);'
                   'CREATE INDEX ON docshard.%1$I (client_id, action, created_at, id);'
                   'CREATE INDEX ON docshard.%1$I (client_id, entity_id, created_at, id);'
                   'CREATE INDEX ON docshard.%1$I (created_at, id)', partition);
    PERFORM set_config('lock_timeout', '200ms', true);
    LOOP
        BEGIN
            LOCK TABLE ONLY docshard.audit_logs IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            patience := patience - 1;
            IF patience = 0 THEN
                RAISE;
            END IF;
            -- Who queued behind our wait goes first.
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    total := total
        + docshard.move_stray_audit_rows(partition, from_utc::timestamptz, to_utc::timestamptz);
    EXECUTE format('ALTER TABLE docshard.%I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE docshard.%I FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE docshard.audit_logs ATTACH PARTITION docshard.%I '
                   'FOR VALUES FROM (%L) TO (%L)', partition, from_utc, to_utc);
    EXECUTE format('ALTER TABLE docshard.%I DROP CONSTRAINT month', partition);
    RETURN total;
END $$;

-- Takes a month out of the log; false when it is out already. DETACH CONCURRENTLY refuses a table
-- that has a DEFAULT partition: so a plain one, whose wait for the root is short and is repeated by
-- the caller. What is detached can be read by nobody but the archive's functions.
CREATE FUNCTION docshard.detach_audit_month(month date) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition text := 'audit_logs_' || to_char(month, 'YYYY_MM');
BEGIN
    IF month >= date_trunc('month', now() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'the month is not over' USING ERRCODE = 'DS009';
    ELSIF to_regclass('docshard.' || partition) IS NULL THEN
        RAISE EXCEPTION 'there is no table %', partition USING ERRCODE = 'DS009';
    ELSIF NOT (SELECT relispartition FROM pg_class
                WHERE oid = to_regclass('docshard.' || partition)) THEN
        RETURN false;
    END IF;
    PERFORM set_config('lock_timeout', '200ms', true);
    EXECUTE format('ALTER TABLE docshard.audit_logs DETACH PARTITION docshard.%I', partition);
    EXECUTE format('GRANT SELECT ON docshard.%I TO docshard_auditor', partition);
    RETURN true;
END $$;

-- Drops a detached month that has exactly so many rows; false when it is gone already.
CREATE FUNCTION docshard.drop_audit_month(month date, archived_rows bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition text := 'audit_logs_' || to_char(month, 'YYYY_MM');
BEGIN
    IF to_regclass('docshard.' || partition) IS NULL THEN
        RETURN false;
    ELSIF (SELECT relispartition FROM pg_class
            WHERE oid = to_regclass('docshard.' || partition)) THEN
        RAISE EXCEPTION '% is still attached', partition USING ERRCODE = 'DS009';
    ELSIF archived_rows IS DISTINCT FROM docshard.detached_audit_rows(month) THEN
        RAISE EXCEPTION '% has other rows than were archived', partition USING ERRCODE = 'DS009';
    END IF;
    PERFORM set_config('lock_timeout', '200ms', true);
    EXECUTE format('DROP TABLE docshard.%I', partition);
    RETURN true;
END $$;

REVOKE EXECUTE ON FUNCTION docshard.stray_audit_months, docshard.audit_months,
    docshard.move_stray_audit_rows, docshard.settle_audit_month, docshard.detach_audit_month,
    docshard.drop_audit_month FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docshard.stray_audit_months, docshard.audit_months,
    docshard.settle_audit_month, docshard.detach_audit_month, docshard.drop_audit_month
    TO docshard_worker;
GRANT EXECUTE ON FUNCTION docshard.audit_months TO docshard_admin;

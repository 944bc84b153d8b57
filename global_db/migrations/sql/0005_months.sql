-- As on the shards: months that come late, and months that go. Nobody but the owner may touch a partition, so each
-- step is a function of the owner's; the worker may run it, and it refuses what must not be.
--
-- SQLSTATEs: DS009 a month that is not as the step needs it.

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

-- Moves a month's rows from DEFAULT into `target`, as they are: the table is no partition yet and
-- has no triggers. I5: nobody sees a row twice or not at all, since one statement deletes and inserts.
CREATE FUNCTION docshard.move_stray_audit_rows(target text, from_utc timestamptz, to_utc timestamptz)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moved bigint;
BEGIN
    EXECUTE format('WITH gone AS (DELETE FROM docshard.audit_logs_default WHERE created_at >= $1'
                   ' AND created_at < $2 RETURNING *)'
                   ' INSERT INTO docshard.%I SELECT * FROM gone', target)
      USING from_utc, to_utc;
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END $$;

-- Gives the rows of DEFAULT that are of this month the partition they lack; answers how many.
--
-- The bulk is moved under no lock that others feel: until the commit they see the rows where they
-- were. What was added meanwhile follows under an exclusive lock of the root, which is held for
-- that, the attaching and the commit. The lock of DEFAULT that ATTACH takes would not do: a
-- statement that had looked the partitions up and waited for DEFAULT would go on without the new
-- one, and miss the rows. Before the root, nobody has looked anything up.
--
-- Old snapshots stay right as well: they see the deleted rows and none of the inserted ones.
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
    -- Built and checked now, so that attaching finds it done.
    EXECUTE format('ALTER TABLE docshard.%1$I ADD CONSTRAINT month CHECK (created_at >= %2$L AND '
                   'created_at < %3$L), ADD PRIMARY KEY (created_at, id)',
                   partition, from_utc, to_utc);
    EXECUTE format('CREATE INDEX ON docshard.%1$I (user_id, created_at, id);'
                   'CREATE INDEX ON docshard.%1$I (client_id, created_at, id);'
                   'CREATE INDEX ON docshard.%1$I (action, created_at, id);'
                   'CREATE INDEX ON docshard.%1$I (entity_id, created_at, id)', partition);
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
    EXECUTE format('ALTER TABLE docshard.audit_logs ATTACH PARTITION docshard.%I '
                   'FOR VALUES FROM (%L) TO (%L)', partition, from_utc, to_utc);
    EXECUTE format('ALTER TABLE docshard.%I DROP CONSTRAINT month', partition);
    RETURN total;
END $$;

-- Takes a month out of the log; false when it is out already. DETACH CONCURRENTLY refuses a table
-- that has a DEFAULT partition: so a plain one, whose wait for the root is short and is repeated by
-- the caller.
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
    RETURN true;
END $$;

-- Drops a detached month that has exactly so many rows; false when it is gone already.
CREATE FUNCTION docshard.drop_audit_month(month date, archived_rows bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition text := 'audit_logs_' || to_char(month, 'YYYY_MM');
    found bigint;
BEGIN
    IF to_regclass('docshard.' || partition) IS NULL THEN
        RETURN false;
    ELSIF (SELECT relispartition FROM pg_class
            WHERE oid = to_regclass('docshard.' || partition)) THEN
        RAISE EXCEPTION '% is still attached', partition USING ERRCODE = 'DS009';
    END IF;
    EXECUTE format('SELECT count(*) FROM docshard.%I', partition) INTO found;
    IF archived_rows IS DISTINCT FROM found THEN
        RAISE EXCEPTION '% has other rows than were archived', partition USING ERRCODE = 'DS009';
    END IF;
    PERFORM set_config('lock_timeout', '200ms', true);
    EXECUTE format('DROP TABLE docshard.%I', partition);
    RETURN true;
END $$;

-- What content_hash is the SHA-256 of: audit_content_hash hashes the same text.
CREATE FUNCTION docshard.audit_content(r docshard.audit_logs) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_array(
        r.id, r.user_id, r.api_key_id, r.client_id, r.action, r.entity_type, r.entity_id, r.changes,
        host(r.ip_address), r.request_id, r.reason,
        to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
$$;

-- The month's rows in the order of their time, behind (after_at, after_id), while it is attached and
-- after that; each with its link of the chain and the hash before it.
CREATE FUNCTION docshard.audit_month_page(
    month date, after_at timestamptz, after_id uuid, most integer
) RETURNS TABLE (
    id uuid, created_at timestamptz, content text, content_hash bytea, seq bigint,
    chain_hash bytea, previous_hash bytea
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format($statement$
        SELECT r.id, r.created_at,
               docshard.audit_content(ROW(r.id, r.user_id, r.api_key_id, r.client_id, r.action,
                   r.entity_type, r.entity_id, r.changes, r.ip_address, r.request_id, r.reason,
                   r.content_hash, r.created_at)::docshard.audit_logs),
               r.content_hash, c.seq, c.chain_hash,
               CASE c.seq WHEN 1 THEN docshard.chain_origin()
               ELSE (SELECT p.chain_hash FROM docshard.audit_chain p WHERE p.seq = c.seq - 1) END
          FROM (SELECT * FROM docshard.%I s
                 WHERE s.created_at >= $1 AND (s.created_at, s.id) > ($1, $2)
                 ORDER BY s.created_at, s.id LIMIT $3) r
          LEFT JOIN LATERAL (SELECT l.seq, l.chain_hash FROM docshard.audit_chain l
                              WHERE l.audit_id = r.id LIMIT 1) c ON true
         ORDER BY r.created_at, r.id $statement$,
        'audit_logs_' || to_char(month, 'YYYY_MM'))
    USING coalesce(after_at, '-infinity'),
          coalesce(after_id, '00000000-0000-0000-0000-000000000000'::uuid), most;
END $$;

REVOKE EXECUTE ON FUNCTION docshard.stray_audit_months, docshard.audit_months,
    docshard.move_stray_audit_rows, docshard.settle_audit_month, docshard.detach_audit_month,
    docshard.drop_audit_month, docshard.audit_month_page FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docshard.stray_audit_months, docshard.audit_months,
    docshard.settle_audit_month, docshard.detach_audit_month, docshard.drop_audit_month,
    docshard.audit_month_page TO docshard_worker;
GRANT EXECUTE ON FUNCTION docshard.audit_months TO docshard_admin;

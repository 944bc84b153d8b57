-- The fence (I3: no write lands on a shard that does not own the tenant).
--
-- A writer holds a shared advisory lock on its tenant until its transaction ends. A mover takes the
-- same lock exclusively before it writes 'fenced'. So either the mover waits for the writer's
-- commit, or the writer, once it has the lock, reads 'fenced' in a statement whose snapshot is
-- newer than the mover's commit. That second half needs READ COMMITTED: under REPEATABLE READ the
-- snapshot may be older than the fence, and the stale row would say 'open'.
--
-- SQLSTATEs: DS001 no residency here, DS002 another epoch, DS003 fenced, DS004 isolation level,
-- DS005 write without entering.

CREATE FUNCTION docshard.tenant_lock(client uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT hashtextextended(client::text, 7346) $$;

CREATE FUNCTION docshard.demand_open(client uuid, expected_epoch bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    found_epoch bigint;
    found_state text;
BEGIN
    SELECT epoch, state INTO found_epoch, found_state
      FROM docshard.residency WHERE client_id = client;
    IF found_epoch IS NULL OR found_state IN ('importing', 'gone') THEN
        RAISE EXCEPTION 'the tenant does not live here' USING ERRCODE = 'DS001';
    ELSIF found_state = 'fenced' THEN
        RAISE EXCEPTION 'the tenant is at the switch of a move' USING ERRCODE = 'DS003';
    ELSIF found_epoch IS DISTINCT FROM expected_epoch THEN
        RAISE EXCEPTION 'the tenant lives here at another epoch' USING ERRCODE = 'DS002';
    END IF;
END $$;

-- Writes enter here, in a statement of their own, before any other. Answers the transaction's
-- time, which is the time every row of it carries.
CREATE FUNCTION docshard.enter_write(client uuid, expected_epoch bigint) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'writes need READ COMMITTED, not %', current_setting('transaction_isolation')
            USING ERRCODE = 'DS004';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(docshard.tenant_lock(client));
    PERFORM docshard.demand_open(client, expected_epoch);
    PERFORM set_config('app.client_id', client::text, true),
            set_config('app.write_epoch', expected_epoch::text, true);
    RETURN now();
END $$;

-- Reads enter inside their own statement: FROM docshard.enter(…) AS entered, LATERAL (… = entered).
-- PARALLEL UNSAFE, the default, keeps it in the leader, where the setting it makes is seen.
CREATE FUNCTION docshard.enter(client uuid, expected_epoch bigint) RETURNS uuid
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM docshard.demand_open(client, expected_epoch);
    PERFORM set_config('app.client_id', client::text, true),
            set_config('app.write_epoch', '', true);
    RETURN client;
END $$;

-- What makes entering impossible to skip: after each statement that changes a tenant's rows the
-- table itself takes the lock and looks again. A BEFORE trigger would fire before the rows are
-- scanned, too early to see what the statement's own functions did. Replication and the mover's
-- COPY run as session_replication_role = replica and do not fire it.
CREATE FUNCTION docshard.guard_fence() RETURNS trigger
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    client text := nullif(current_setting('app.client_id', true), '');
    epoch text := nullif(current_setting('app.write_epoch', true), '');
BEGIN
    IF client IS NULL OR epoch IS NULL THEN
        RAISE EXCEPTION 'a write to % must enter first', TG_TABLE_NAME USING ERRCODE = 'DS005';
    END IF;
    PERFORM docshard.enter_write(client::uuid, epoch::bigint);
    RETURN NULL;
END $$;

-- The guard looks at the tenant that is set when the statement ends, row-level security at the one
-- that was set when it began: a statement that sets another tenant on its way would be let in as
-- one and fenced as the other. So each of its rows must be of the tenant that the guard looks at.
CREATE FUNCTION docshard.guard_row() RETURNS trigger
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    client uuid := nullif(current_setting('app.client_id', true), '')::uuid;
BEGIN
    IF (TG_OP <> 'DELETE' AND NEW.client_id IS DISTINCT FROM client)
        OR (TG_OP <> 'INSERT' AND OLD.client_id IS DISTINCT FROM client) THEN
        RAISE EXCEPTION 'a write to % of a tenant that was not entered', TG_TABLE_NAME
            USING ERRCODE = 'DS005';
    END IF;
    RETURN NULL;
END $$;

-- A new tenant. It never takes over a row that exists, in whatever state.
CREATE FUNCTION docshard.admit(client uuid, first_epoch bigint) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH admitted AS (
        INSERT INTO docshard.residency (client_id, epoch, state) VALUES (client, first_epoch, 'open')
        ON CONFLICT (client_id) DO NOTHING
        RETURNING true)
    SELECT EXISTS (SELECT FROM admitted);
$$;
REVOKE EXECUTE ON FUNCTION docshard.admit FROM PUBLIC;

CREATE FUNCTION docshard.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows never change', TG_TABLE_NAME USING ERRCODE = 'DS006';
END $$;

-- I7: a version is immutable from birth.
CREATE TRIGGER refuse_change BEFORE UPDATE ON docshard.document_versions
    FOR EACH ROW EXECUTE FUNCTION docshard.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE ON docshard.audit_logs
    FOR EACH ROW EXECUTE FUNCTION docshard.refuse_change();

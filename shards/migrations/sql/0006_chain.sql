-- The chain of a tenant's audit log. An insert queues its row here in the same transaction; the
-- worker takes rows from the queue, numbers them and links their hashes, in one transaction. So a
-- row that is seen in the queue has committed, one that commits late is queued late, and a row is
-- either queued or linked, never both and never neither: no clock and no transaction id is asked.
CREATE TABLE docshard.audit_pending (
    client_id        uuid        NOT NULL,
    audit_created_at timestamptz NOT NULL,
    audit_id         uuid        NOT NULL,
    content_hash     bytea       NOT NULL,
    CONSTRAINT pk_audit_pending PRIMARY KEY (client_id, audit_created_at, audit_id)
    -- Rows live for a second: what they leave behind is to be cleared by number, not by share.
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- The leaf: what was committed to, kept when the row itself has been archived.
ALTER TABLE docshard.audit_chain ADD COLUMN content_hash bytea NOT NULL;
ALTER TABLE docshard.audit_chain ADD CONSTRAINT ck_audit_chain_content_hash
    CHECK (octet_length(content_hash) = 32);

-- The application adds audit rows and nothing else: the queue is filled for it.
CREATE FUNCTION docshard.queue_audit_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO docshard.audit_pending (client_id, audit_created_at, audit_id, content_hash)
    VALUES (NEW.client_id, NEW.created_at, NEW.id, NEW.content_hash);
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION docshard.queue_audit_row FROM PUBLIC;
CREATE TRIGGER queue_audit_row AFTER INSERT ON docshard.audit_logs
    FOR EACH ROW EXECUTE FUNCTION docshard.queue_audit_row();

-- Rows of before this revision. The trigger's lock keeps inserts out until the commit, so none is
-- missed; row-level security binds the owner too, hence one tenant after the other.
DO $$
DECLARE
    client uuid;
BEGIN
    FOR client IN SELECT client_id FROM docshard.residency WHERE state IN ('open', 'fenced') LOOP
        PERFORM set_config('app.client_id', client::text, true);
        INSERT INTO docshard.audit_pending (client_id, audit_created_at, audit_id, content_hash)
        SELECT client_id, created_at, id, content_hash
          FROM docshard.audit_logs WHERE client_id = client;
    END LOOP;
    PERFORM set_config('app.client_id', '', true);
END $$;

-- One link: SHA-256 over a tag of our own (so that no other hash of ours is one), the hash before,
-- the number (64 bits, big-endian) and the row's content hash. Every part has a fixed length.
CREATE FUNCTION docshard.chain_hash(previous bytea, seq bigint, content_hash bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256('\x646f6373686172643a61756469742d6c696e6b3a31'::bytea  -- docshard:audit-link:1
                  || previous || int8send(seq) || content_hash)
$$;

-- What stands before the first link: no chain begins as another one does.
CREATE FUNCTION docshard.chain_origin(client uuid) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT sha256('\x646f6373686172643a61756469742d636861696e3a31'::bytea  -- docshard:audit-chain:1
                  || uuid_send(client))
$$;

CREATE FUNCTION docshard.chain_lock(client uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT hashtextextended(client::text, 7347) $$;

-- As a running aggregate over the rows in their order it hashes a whole batch in one statement.
CREATE FUNCTION docshard.extend_chain(state bytea, head bytea, seq bigint, content_hash bytea)
RETURNS bytea LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN docshard.chain_hash(coalesce(state, head), seq, content_hash);
END $$;
CREATE AGGREGATE docshard.chained(head bytea, seq bigint, content_hash bytea)
    (SFUNC = docshard.extend_chain, STYPE = bytea);

-- Links at most `most` rows of a tenant and answers how many; 0 too where the tenant is not open
-- here or another worker is at its chain. It enters as every writer does (I3).
--
-- The chain cannot fork: the second lock is exclusive and ends behind the commit, and each
-- statement of a volatile function sees what had committed when it began, so whoever holds the lock
-- reads the newest link. It is tried and not awaited: no worker waits for another, none deadlocks.
CREATE FUNCTION docshard.link_audit(client uuid, most integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    present_epoch bigint;
    last_seq bigint;
    last_hash bytea;
    linked bigint;
BEGIN
    SELECT epoch INTO present_epoch
      FROM docshard.residency WHERE client_id = client AND state = 'open';
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    PERFORM docshard.enter_write(client, present_epoch);
    IF NOT pg_try_advisory_xact_lock(docshard.chain_lock(client)) THEN
        RETURN 0;
    END IF;
    SELECT seq, chain_hash INTO last_seq, last_hash
      FROM docshard.audit_chain WHERE client_id = client ORDER BY seq DESC LIMIT 1;
    IF NOT FOUND THEN
        last_seq := 0;
        last_hash := docshard.chain_origin(client);
    END IF;
    WITH due AS MATERIALIZED (
        SELECT audit_created_at, audit_id FROM docshard.audit_pending
         WHERE client_id = client
         ORDER BY audit_created_at, audit_id LIMIT most),
    taken AS (
        DELETE FROM docshard.audit_pending p USING due
         WHERE p.client_id = client AND p.audit_created_at = due.audit_created_at
           AND p.audit_id = due.audit_id
        RETURNING p.audit_created_at, p.audit_id, p.content_hash),
    numbered AS (
        SELECT t.*, last_seq + row_number() OVER (ORDER BY audit_created_at, audit_id) AS seq
          FROM taken t)
    INSERT INTO docshard.audit_chain
           (client_id, seq, audit_id, audit_created_at, content_hash, chain_hash)
    SELECT client, seq, audit_id, audit_created_at, content_hash,
           docshard.chained(last_hash, seq, content_hash) OVER (ORDER BY seq)
      FROM numbered;
    GET DIAGNOSTICS linked = ROW_COUNT;
    RETURN linked;
END $$;
REVOKE EXECUTE ON FUNCTION docshard.link_audit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docshard.link_audit TO docshard_worker;

-- A link never changes, whoever asks; replication and sweeps are not ordinary sessions.
CREATE TRIGGER refuse_change BEFORE UPDATE ON docshard.audit_chain
    FOR EACH ROW EXECUTE FUNCTION docshard.refuse_change();

-- The worker finds across tenants what is to be linked, and the heads that are to be signed; to
-- link, it enters.
CREATE POLICY worker_reads ON docshard.audit_pending FOR SELECT TO docshard_worker USING (true);
CREATE POLICY worker_reads ON docshard.audit_chain FOR SELECT TO docshard_worker USING (true);
GRANT SELECT ON docshard.audit_pending TO docshard_app;
GRANT SELECT, DELETE ON docshard.audit_pending TO docshard_worker;

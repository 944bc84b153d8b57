-- The chain of the global audit log, as on the shards: an insert queues its row in the same
-- transaction, the worker takes rows from the queue and links them in one. See the shards' history
-- for the argument.
CREATE TABLE docshard.audit_pending (
    audit_created_at timestamptz NOT NULL,
    audit_id         uuid        NOT NULL,
    content_hash     bytea       NOT NULL,
    CONSTRAINT pk_audit_pending PRIMARY KEY (audit_created_at, audit_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

CREATE TABLE docshard.audit_chain (
    seq              bigint      NOT NULL,
    audit_id         uuid        NOT NULL,
    audit_created_at timestamptz NOT NULL,
    content_hash     bytea       NOT NULL,
    chain_hash       bytea       NOT NULL,
    linked_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_audit_chain PRIMARY KEY (seq),
    CONSTRAINT uq_audit_chain_audit_id UNIQUE (audit_id),
    CONSTRAINT ck_audit_chain_seq CHECK (seq > 0),
    CONSTRAINT ck_audit_chain_content_hash CHECK (octet_length(content_hash) = 32),
    CONSTRAINT ck_audit_chain_chain_hash CHECK (octet_length(chain_hash) = 32)
);
CREATE TRIGGER refuse_change BEFORE UPDATE ON docshard.audit_chain
    FOR EACH ROW EXECUTE FUNCTION docshard.refuse_change();

CREATE FUNCTION docshard.queue_audit_row() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO docshard.audit_pending (audit_created_at, audit_id, content_hash)
    VALUES (NEW.created_at, NEW.id, NEW.content_hash);
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION docshard.queue_audit_row FROM PUBLIC;
CREATE TRIGGER queue_audit_row AFTER INSERT ON docshard.audit_logs
    FOR EACH ROW EXECUTE FUNCTION docshard.queue_audit_row();

-- Rows of before this revision; the trigger's lock keeps inserts out until the commit.
INSERT INTO docshard.audit_pending (audit_created_at, audit_id, content_hash)
SELECT created_at, id, content_hash FROM docshard.audit_logs;

CREATE FUNCTION docshard.chain_hash(previous bytea, seq bigint, content_hash bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256('\x646f6373686172643a61756469742d6c696e6b3a31'::bytea  -- docshard:audit-link:1
                  || previous || int8send(seq) || content_hash)
$$;

-- The global log's chain is that of the nil id, which no client has.
CREATE FUNCTION docshard.chain_origin() RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256('\x646f6373686172643a61756469742d636861696e3a31'::bytea  -- docshard:audit-chain:1
                  || uuid_send('00000000-0000-0000-0000-000000000000'))
$$;

CREATE FUNCTION docshard.extend_chain(state bytea, head bytea, seq bigint, content_hash bytea)
RETURNS bytea LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN docshard.chain_hash(coalesce(state, head), seq, content_hash);
END $$;
CREATE AGGREGATE docshard.chained(head bytea, seq bigint, content_hash bytea)
    (SFUNC = docshard.extend_chain, STYPE = bytea);

CREATE FUNCTION docshard.link_audit(most integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    last_seq bigint;
    last_hash bytea;
    linked bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'linking needs READ COMMITTED' USING ERRCODE = 'DS004';
    END IF;
    IF NOT pg_try_advisory_xact_lock(7347, 0) THEN
        RETURN 0;
    END IF;
    SELECT seq, chain_hash INTO last_seq, last_hash
      FROM docshard.audit_chain ORDER BY seq DESC LIMIT 1;
    IF NOT FOUND THEN
        last_seq := 0;
        last_hash := docshard.chain_origin();
    END IF;
    WITH due AS MATERIALIZED (
        SELECT audit_created_at, audit_id FROM docshard.audit_pending
         ORDER BY audit_created_at, audit_id LIMIT most),
    taken AS (
        DELETE FROM docshard.audit_pending p USING due
         WHERE p.audit_created_at = due.audit_created_at AND p.audit_id = due.audit_id
        RETURNING p.audit_created_at, p.audit_id, p.content_hash),
    numbered AS (
        SELECT t.*, last_seq + row_number() OVER (ORDER BY audit_created_at, audit_id) AS seq
          FROM taken t)
    INSERT INTO docshard.audit_chain (seq, audit_id, audit_created_at, content_hash, chain_hash)
    SELECT seq, audit_id, audit_created_at, content_hash,
           docshard.chained(last_hash, seq, content_hash) OVER (ORDER BY seq)
      FROM numbered;
    GET DIAGNOSTICS linked = ROW_COUNT;
    RETURN linked;
END $$;
REVOKE EXECUTE ON FUNCTION docshard.link_audit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docshard.link_audit TO docshard_worker;

GRANT SELECT ON docshard.audit_chain, docshard.audit_pending TO docshard_app;
GRANT SELECT, INSERT ON docshard.audit_chain TO docshard_worker;
GRANT SELECT, DELETE ON docshard.audit_pending TO docshard_worker;

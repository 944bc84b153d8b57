-- Which generation of a move may change this shard. A mover's transaction takes the row FOR SHARE and
-- keeps it until it ends; a successor updates it. So either the successor waits for the transaction,
-- or the transaction waits for the successor's commit and then reads its generation, not its own:
-- once the claim has committed, nothing of an older generation is under way, and nothing will be.
-- Rows stay for good: without them a mover that slept through its move's end would be let in again.
CREATE TABLE docshard.move_claims (
    move_id    uuid        NOT NULL,
    generation bigint      NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_move_claims PRIMARY KEY (move_id)
);

-- Rows that travel with a move's stream: what was committed before one is there when it is there.
CREATE TABLE docshard.move_markers (
    move_id uuid        NOT NULL,
    number  bigint      NOT NULL,
    put_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_move_markers PRIMARY KEY (move_id, number)
);

-- What a claim raises the generation of, and what an inspection asks for: few rows at any time.
CREATE INDEX idx_residency_move ON docshard.residency (move_id)
    WHERE move_id IS NOT NULL AND state <> 'gone';

-- Every transaction of a mover begins here. Its name is what a successor finds it by, pooled or not.
-- SQLSTATE DS011: another generation, or no claim at all.
CREATE FUNCTION docshard.as_mover(move uuid, expected_generation bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    found_generation bigint;
BEGIN
    SELECT generation INTO found_generation
      FROM docshard.move_claims WHERE move_id = move FOR SHARE;
    IF found_generation IS DISTINCT FROM expected_generation THEN
        RAISE EXCEPTION 'the move is run by generation %, not %',
            coalesce(found_generation::text, 'none'), expected_generation USING ERRCODE = 'DS011';
    END IF;
    PERFORM set_config('application_name', format('docshard-move-%s-%s',
        replace(move::text, '-', ''), expected_generation), true);
END $$;

-- Ends every session of an older generation; answers how many there were. Those of the stream itself
-- have other names.
CREATE FUNCTION docshard.end_older_movers(move uuid, new_generation bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid))
      FROM pg_stat_activity a
     WHERE a.usename = current_user
       AND substring(a.application_name FROM format('^docshard-move-%s-([0-9]+)$',
               replace(move::text, '-', '')))::bigint < new_generation
$$;

CREATE FUNCTION docshard.claim_move(move uuid, new_generation bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO docshard.move_claims AS claim (move_id, generation) VALUES (move, new_generation)
        ON CONFLICT (move_id) DO UPDATE
        SET generation = excluded.generation, claimed_at = now()
        WHERE claim.generation <= excluded.generation;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a newer generation runs the move' USING ERRCODE = 'DS011';
    END IF;
    UPDATE docshard.residency r SET generation = new_generation
     WHERE r.move_id = move AND r.state <> 'gone' AND r.generation <> new_generation;
END $$;

-- The locks of a batch, in the order of ids, so that two movers cannot wait for each other in a
-- circle. All of them together are waited for so long; a lock_timeout of the statement would begin
-- anew with each. SQLSTATE 55P03 when that was too short.
CREATE FUNCTION docshard.lock_tenants(clients uuid[], patience_ms integer) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    until CONSTANT timestamptz := clock_timestamp() + patience_ms * interval '1 millisecond';
    client uuid;
BEGIN
    FOR client IN SELECT c FROM unnest(clients) AS c ORDER BY c LOOP
        PERFORM set_config('lock_timeout', greatest(1, ceil(1000 * extract(epoch FROM
            until - clock_timestamp())))::integer::text, true);
        PERFORM pg_advisory_xact_lock(docshard.tenant_lock(client));
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON docshard.move_claims, docshard.residency TO docshard_mover;
GRANT SELECT, INSERT, UPDATE, DELETE ON docshard.move_markers, docshard.documents,
    docshard.document_versions, docshard.uploads, docshard.idempotency_keys, docshard.audit_logs,
    docshard.audit_chain, docshard.audit_pending, docshard.purged_blobs, docshard.audit_archives
    TO docshard_mover;
GRANT SELECT ON docshard.alembic_version TO docshard_mover;

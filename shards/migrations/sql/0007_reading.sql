-- Reading the audit log of all tenants: for the merged list, and for the archive. Row-level
-- security knows one tenant at a time, so these functions belong to a role that passes it, that
-- nobody can log in as, and that may only SELECT, here only what they need.

-- The newest rows of every tenant that lives here, behind (before_at, before_id), within
-- [from_at, to_at): at most `page` that match, from at most `most` that were walked over. The last
-- of `most` comes along whether it matches or not: from there the next walk goes on.
--
-- I6: a tenant counts where it lives. While a move switches it may be open in two places, or fenced
-- in one: its rows are the same in both, and who merges drops the second.
CREATE FUNCTION docshard.newest_audit_rows(
    wanted_client uuid, wanted_user uuid, wanted_action text, wanted_type text, wanted_entity uuid,
    from_at timestamptz, to_at timestamptz, before_at timestamptz, before_id uuid,
    most integer, page integer
) RETURNS TABLE (
    client_id uuid, id uuid, user_id uuid, api_key_id uuid, action text, entity_type text,
    entity_id uuid, changes jsonb, ip_address inet, request_id text, created_at timestamptz,
    place bigint, matched boolean
)
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET jit = off
AS $$
DECLARE
    -- What an index knows besides the time. Across tenants there is none but the time.
    condition text := CASE
        WHEN wanted_client IS NULL THEN 'true'
        WHEN wanted_entity IS NOT NULL THEN 'a.client_id = $1 AND a.entity_id = $5'
        WHEN wanted_user IS NOT NULL THEN 'a.client_id = $1 AND a.user_id = $2'
        WHEN wanted_action IS NOT NULL THEN 'a.client_id = $1 AND a.action = $3'
        ELSE 'a.client_id = $1'
    END;
    -- The index of the time across tenants knows it as UTC, so that no other query walks it.
    moment text := CASE WHEN wanted_client IS NULL THEN '(a.created_at AT TIME ZONE ''UTC'')'
                        ELSE 'a.created_at' END;
    bound text := CASE WHEN wanted_client IS NULL THEN '($8 AT TIME ZONE ''UTC'')' ELSE '$8' END;
BEGIN
    -- Planned for its values: the months that the times exclude are never opened.
    RETURN QUERY EXECUTE format($statement$
        SELECT m.client_id, m.id, m.user_id, m.api_key_id, m.action, m.entity_type, m.entity_id,
               m.changes, m.ip_address, m.request_id, m.created_at, m.place, m.matched
          FROM (
            SELECT w.*,
                   ($2 IS NULL OR w.user_id = $2) AND ($3 IS NULL OR w.action = $3)
                   AND ($4 IS NULL OR w.entity_type = $4) AND ($5 IS NULL OR w.entity_id = $5)
                   AND coalesce((SELECT r.state IN ('open', 'fenced') FROM docshard.residency r
                                  WHERE r.client_id = w.client_id), false) AS matched
              FROM (
                SELECT s.*, row_number() OVER (ORDER BY s.moment DESC, s.id DESC) AS place
                  FROM (
                    SELECT a.*, %2$s AS moment FROM docshard.audit_logs a
                     WHERE %1$s AND a.created_at >= $6 AND a.created_at < $7
                       AND a.created_at <= $8 AND (%2$s, a.id) < (%3$s, $9)
                     ORDER BY %2$s DESC, a.id DESC LIMIT $10) s) w) m
         WHERE m.matched OR m.place = $10
         ORDER BY m.moment DESC, m.id DESC LIMIT $11 $statement$, condition, moment, bound)
    USING wanted_client, wanted_user, wanted_action, wanted_type, wanted_entity,
          coalesce(from_at, '-infinity'), coalesce(to_at, 'infinity'),
          coalesce(before_at, 'infinity'),
          coalesce(before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid), most, page;
END $$;

-- What content_hash is the SHA-256 of: audit_content_hash hashes the same text.
CREATE FUNCTION docshard.audit_content(r docshard.audit_logs) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_array(
        r.client_id, r.id, r.user_id, r.api_key_id, r.action, r.entity_type, r.entity_id, r.changes,
        host(r.ip_address), r.request_id,
        to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
$$;

-- Where a month's rows are: under the root while it is attached, else in its own table.
CREATE FUNCTION docshard.audit_month_table(month date) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN c.relispartition THEN 'audit_logs' ELSE c.relname END
      FROM pg_class c
     WHERE c.oid = to_regclass('docshard.audit_logs_' || to_char(month, 'YYYY_MM'))
$$;

-- The next tenant that has rows in the month, by id; NULL after the last.
CREATE FUNCTION docshard.next_audit_tenant(month date, after uuid) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found uuid;
BEGIN
    EXECUTE format('SELECT client_id FROM docshard.%I WHERE client_id > $1 AND created_at >= $2'
                   ' AND created_at < $3 ORDER BY client_id LIMIT 1',
                   docshard.audit_month_table(month))
       INTO found
      USING after, month::timestamp AT TIME ZONE 'UTC',
            (month + interval '1 month') AT TIME ZONE 'UTC';
    RETURN found;
END $$;

-- A tenant's rows of the month in the order of their time, behind (after_at, after_id), each with
-- its link of the chain and the hash before it; `seq` is NULL where a row has no link.
CREATE FUNCTION docshard.audit_month_page(
    month date, client uuid, after_at timestamptz, after_id uuid, most integer
) RETURNS TABLE (
    id uuid, created_at timestamptz, content text, content_hash bytea, seq bigint,
    chain_hash bytea, previous_hash bytea
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format($statement$
        SELECT a.id, a.created_at,
               docshard.audit_content(ROW(a.client_id, a.id, a.user_id, a.api_key_id, a.action,
                   a.entity_type, a.entity_id, a.changes, a.ip_address, a.request_id,
                   a.content_hash, a.created_at)::docshard.audit_logs),
               a.content_hash, c.seq, c.chain_hash,
               CASE c.seq WHEN 1 THEN docshard.chain_origin($1)
               ELSE (SELECT p.chain_hash FROM docshard.audit_chain p
                      WHERE p.client_id = $1 AND p.seq = c.seq - 1) END
          FROM (SELECT * FROM docshard.%I r
                 WHERE r.client_id = $1 AND r.created_at >= $2 AND r.created_at < $3
                   AND r.created_at >= $4 AND (r.created_at, r.id) > ($4, $5)
                 ORDER BY r.created_at, r.id LIMIT $6) a
          LEFT JOIN LATERAL (SELECT l.seq, l.chain_hash FROM docshard.audit_chain l
                              WHERE l.client_id = $1 AND l.audit_id = a.id LIMIT 1) c ON true
         ORDER BY a.created_at, a.id $statement$, docshard.audit_month_table(month))
    USING client, month::timestamp AT TIME ZONE 'UTC',
          (month + interval '1 month') AT TIME ZONE 'UTC',
          coalesce(after_at, '-infinity'),
          coalesce(after_id, '00000000-0000-0000-0000-000000000000'::uuid), most;
END $$;

-- How many rows a detached month has.
CREATE FUNCTION docshard.detached_audit_rows(month date) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM docshard.%I', 'audit_logs_' || to_char(month, 'YYYY_MM'))
       INTO found;
    RETURN found;
END $$;

REVOKE EXECUTE ON FUNCTION docshard.newest_audit_rows, docshard.next_audit_tenant,
    docshard.audit_month_page, docshard.detached_audit_rows FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docshard.newest_audit_rows TO docshard_app;
GRANT EXECUTE ON FUNCTION docshard.next_audit_tenant, docshard.audit_month_page
    TO docshard_worker;
GRANT EXECUTE ON FUNCTION docshard.detached_audit_rows TO docshard_owner;
GRANT SELECT ON docshard.audit_logs, docshard.audit_chain, docshard.residency TO docshard_auditor;
-- To become the owner a role needs CREATE on the schema, for this moment only.
GRANT CREATE ON SCHEMA docshard TO docshard_auditor;
ALTER FUNCTION docshard.newest_audit_rows OWNER TO docshard_auditor;
ALTER FUNCTION docshard.next_audit_tenant OWNER TO docshard_auditor;
ALTER FUNCTION docshard.audit_month_page OWNER TO docshard_auditor;
ALTER FUNCTION docshard.detached_audit_rows OWNER TO docshard_auditor;
REVOKE CREATE ON SCHEMA docshard FROM docshard_auditor;

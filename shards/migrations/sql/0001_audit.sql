-- The content hash of an audit row, made in the row's own transaction and over what is stored, so
-- that anyone can compute it again. Values are length-prefixed by jsonb's text form: no two rows
-- share a text.
CREATE FUNCTION docshard.audit_content_hash(r docshard.audit_logs) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(jsonb_build_array(
        r.client_id, r.id, r.user_id, r.api_key_id, r.action, r.entity_type, r.entity_id, r.changes,
        host(r.ip_address), r.request_id,
        to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text, 'UTF8'))
$$;

CREATE FUNCTION docshard.hash_audit_row() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.content_hash := docshard.audit_content_hash(NEW);
    RETURN NEW;
END $$;

CREATE TRIGGER hash_audit_row BEFORE INSERT ON docshard.audit_logs
    FOR EACH ROW EXECUTE FUNCTION docshard.hash_audit_row();

-- Makes the partition of the month that holds `day`, unless it is there. LIKE + ATTACH, because
-- CREATE … PARTITION OF takes a lock that every insert then queues behind. ATTACH still locks the
-- DEFAULT partition for an instant, so the wait for it is short and the caller tries again.
CREATE FUNCTION docshard.make_audit_partition(day date) RETURNS boolean
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
    EXECUTE format('ALTER TABLE docshard.%I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE docshard.%I FORCE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE docshard.audit_logs ATTACH PARTITION docshard.%I '
                   'FOR VALUES FROM (%L) TO (%L)', partition, from_utc, to_utc);
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION docshard.make_audit_partition FROM PUBLIC;

SELECT docshard.make_audit_partition((now() AT TIME ZONE 'UTC' + make_interval(months => ahead))::date)
  FROM generate_series(0, 3) AS ahead;

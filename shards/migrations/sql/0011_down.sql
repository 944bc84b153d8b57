-- As in 0001 and 0007.
CREATE OR REPLACE FUNCTION docshard.guard_fence() RETURNS trigger
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

CREATE OR REPLACE FUNCTION docshard.audit_content_hash(r docshard.audit_logs) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(jsonb_build_array(
        r.client_id, r.id, r.user_id, r.api_key_id, r.action, r.entity_type, r.entity_id, r.changes,
        host(r.ip_address), r.request_id,
        to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text, 'UTF8'))
$$;

CREATE OR REPLACE FUNCTION docshard.hash_audit_row() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.content_hash := docshard.audit_content_hash(NEW);
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION docshard.audit_content(r docshard.audit_logs) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_array(
        r.client_id, r.id, r.user_id, r.api_key_id, r.action, r.entity_type, r.entity_id, r.changes,
        host(r.ip_address), r.request_id,
        to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
$$;

DROP FUNCTION docshard.audit_text;

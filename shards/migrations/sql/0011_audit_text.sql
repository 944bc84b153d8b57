-- What of an audit row is hashed, said once: as text, of the row's values and not of the row, so that
-- it is put into whatever calls it. It is STABLE, as what it is made of is by its declaration, else
-- PostgreSQL would run it as a query of its own for each row. The text is the same as before.
CREATE FUNCTION docshard.audit_text(
    client_id uuid, id uuid, user_id uuid, api_key_id uuid, action text, entity_type text,
    entity_id uuid, changes jsonb, ip_address inet, request_id text, created_at timestamptz
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_array(
        client_id, id, user_id, api_key_id, action, entity_type, entity_id, changes,
        host(ip_address), request_id,
        to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
$$;

CREATE OR REPLACE FUNCTION docshard.audit_content(r docshard.audit_logs) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT docshard.audit_text(r.client_id, r.id, r.user_id, r.api_key_id, r.action, r.entity_type,
        r.entity_id, r.changes, r.ip_address, r.request_id, r.created_at)
$$;

-- Not by audit_content: before 18, a function inside one that is run as a query is planned each time.
CREATE OR REPLACE FUNCTION docshard.audit_content_hash(r docshard.audit_logs) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(docshard.audit_text(
        r.client_id, r.id, r.user_id, r.api_key_id, r.action, r.entity_type, r.entity_id, r.changes,
        r.ip_address, r.request_id, r.created_at), 'UTF8'))
$$;

CREATE OR REPLACE FUNCTION docshard.hash_audit_row() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.content_hash := sha256(convert_to(docshard.audit_text(
        NEW.client_id, NEW.id, NEW.user_id, NEW.api_key_id, NEW.action, NEW.entity_type,
        NEW.entity_id, NEW.changes, NEW.ip_address, NEW.request_id, NEW.created_at), 'UTF8'));
    RETURN NEW;
END $$;

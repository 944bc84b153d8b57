-- What operators allow a client: NULL is no limit, and so is no row. Routers read it with the
-- placement and hear of changes as they hear of those.
CREATE TABLE docshard.client_quotas (
    client_id           uuid             NOT NULL,
    max_documents       bigint,
    max_bytes           bigint,
    requests_per_second double precision,
    updated_at          timestamptz      NOT NULL DEFAULT now(),
    CONSTRAINT pk_client_quotas PRIMARY KEY (client_id),
    CONSTRAINT fk_client_quotas_client_id FOREIGN KEY (client_id)
        REFERENCES docshard.clients (id) ON DELETE CASCADE,
    CONSTRAINT ck_client_quotas_max_documents CHECK (max_documents >= 0),
    CONSTRAINT ck_client_quotas_max_bytes CHECK (max_bytes >= 0),
    CONSTRAINT ck_client_quotas_requests_per_second CHECK (requests_per_second > 0)
);
GRANT SELECT ON docshard.client_quotas TO docshard_app, docshard_worker, docshard_mover;

CREATE FUNCTION docshard.announce_quota() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('placement', NEW.client_id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER announce_quota AFTER INSERT OR UPDATE ON docshard.client_quotas
    FOR EACH ROW EXECUTE FUNCTION docshard.announce_quota();

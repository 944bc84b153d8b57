-- Clients that are being erased, and the tombstones of those that were: what was removed and when,
-- and the signed certificate. No foreign key: the row outlives its client, so that the id is never
-- given again, and who asks gets the certificate again.
CREATE TABLE docshard.erasures (
    client_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    state       text        NOT NULL DEFAULT 'begun',
    shard       text        NOT NULL,
    epoch       bigint      NOT NULL,
    reason      text        NOT NULL DEFAULT '',
    deleted_at  timestamptz NOT NULL,
    begun_at    timestamptz NOT NULL DEFAULT now(),
    found       jsonb       NOT NULL DEFAULT '{}'::jsonb,
    erased_at   timestamptz,
    certificate jsonb,
    CONSTRAINT pk_erasures PRIMARY KEY (client_id),
    CONSTRAINT ck_erasures_state CHECK (state IN ('begun', 'counted', 'erased')),
    CONSTRAINT ck_erasures_certificate CHECK (
        (state = 'erased') = (certificate IS NOT NULL) AND (state = 'erased') = (erased_at IS NOT NULL))
);
GRANT SELECT ON docshard.erasures TO docshard_app, docshard_worker, docshard_mover;

-- What has begun to be erased comes back no more, and moves no more. An erasure locks the client's
-- row FOR UPDATE before it is recorded. An update holds that row's lock when this runs, and each
-- statement of a volatile function has a snapshot of its own: so either the erasure is seen here, or
-- it waits, and sees the client alive. SQLSTATE DS021.
CREATE FUNCTION docshard.refuse_erased_client() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM docshard.erasures WHERE client_id = NEW.id) THEN
        RAISE EXCEPTION 'the client is being erased' USING ERRCODE = 'DS021';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_erased BEFORE INSERT ON docshard.clients
    FOR EACH ROW EXECUTE FUNCTION docshard.refuse_erased_client();
CREATE TRIGGER refuse_erased_restore BEFORE UPDATE OF deleted_at ON docshard.clients
    FOR EACH ROW WHEN (OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL)
    EXECUTE FUNCTION docshard.refuse_erased_client();

-- A move's row locks its client as its foreign key would, only earlier.
CREATE FUNCTION docshard.refuse_erased_move() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM docshard.clients WHERE id = NEW.client_id FOR KEY SHARE;
    IF EXISTS (SELECT FROM docshard.erasures WHERE client_id = NEW.client_id) THEN
        RAISE EXCEPTION 'the client is being erased' USING ERRCODE = 'DS021';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_erased BEFORE INSERT ON docshard.move_clients
    FOR EACH ROW EXECUTE FUNCTION docshard.refuse_erased_move();
REVOKE EXECUTE ON FUNCTION docshard.refuse_erased_client, docshard.refuse_erased_move FROM PUBLIC;

-- I7: a version is immutable from birth, and lives as long as its document. There is one way to
-- remove either, purge_document; not even the owner of the tables may pass it by. Replication and
-- a mover's sweep run as session_replication_role = replica and do not fire this.
--
-- SQLSTATEs: DS006 rows that never change, DS007 a document that must be kept, DS008 retention
-- that shrinks.
CREATE FUNCTION docshard.refuse_delete() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- The setting alone would be anyone's to make, the role alone would be any owner's statement.
    IF current_user = 'docshard_owner'
        AND current_setting('app.purging', true) = to_jsonb(OLD) ->> TG_ARGV[0] THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% rows go by purge_document only', TG_TABLE_NAME USING ERRCODE = 'DS006';
END $$;
CREATE TRIGGER refuse_delete BEFORE DELETE ON docshard.document_versions
    FOR EACH ROW EXECUTE FUNCTION docshard.refuse_delete('document_id');
CREATE TRIGGER refuse_delete BEFORE DELETE ON docshard.documents
    FOR EACH ROW EXECUTE FUNCTION docshard.refuse_delete('id');

CREATE FUNCTION docshard.refuse_shorter_retention() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'retain_until only grows' USING ERRCODE = 'DS008';
END $$;
CREATE TRIGGER refuse_shorter_retention BEFORE UPDATE ON docshard.documents FOR EACH ROW
    WHEN (OLD.retain_until IS NOT NULL
          AND (NEW.retain_until IS NULL OR NEW.retain_until < OLD.retain_until))
    EXECUTE FUNCTION docshard.refuse_shorter_retention();

-- Removes a document with its versions, and leaves a note for each blob when it may go. Blobs are
-- shared by versions of one document only, so nothing else can need them. What is still being
-- uploaded goes when its addresses have expired: before that it could come back.
-- Answers how many versions there were; NULL when there is no such document.
CREATE FUNCTION docshard.purge_document(document uuid, due timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    client uuid := nullif(current_setting('app.client_id', true), '')::uuid;
    kept docshard.documents;
    removed bigint;
BEGIN
    SELECT * INTO kept FROM docshard.documents d
     WHERE d.client_id = client AND d.id = document FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF kept.deleted_at IS NULL OR kept.legal_hold OR kept.retain_until > now() THEN
        RAISE EXCEPTION 'the document must be kept' USING ERRCODE = 'DS007';
    END IF;
    PERFORM set_config('app.purging', document::text, true);
    INSERT INTO docshard.purged_blobs (client_id, s3_key, document_id, due_at)
    SELECT client, v.s3_key, document, greatest(due, now()) FROM docshard.document_versions v
     WHERE v.client_id = client AND v.document_id = document
     GROUP BY v.s3_key
    UNION ALL
    SELECT client, u.s3_key, document, greatest(u.expires_at, now()) FROM docshard.uploads u
     WHERE u.client_id = client AND u.document_id = document;
    DELETE FROM docshard.uploads u WHERE u.client_id = client AND u.document_id = document;
    DELETE FROM docshard.document_versions v
     WHERE v.client_id = client AND v.document_id = document;
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM docshard.documents d WHERE d.client_id = client AND d.id = document;
    PERFORM set_config('app.purging', '', true);
    RETURN removed;
END $$;
REVOKE EXECUTE ON FUNCTION docshard.purge_document FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docshard.purge_document TO docshard_app;

-- Only purge_document writes these rows; the worker finds them and, entered, forgets them.
CREATE POLICY worker_reads ON docshard.purged_blobs FOR SELECT TO docshard_worker USING (true);
GRANT SELECT ON docshard.purged_blobs TO docshard_app;
GRANT SELECT, DELETE ON docshard.purged_blobs TO docshard_worker;

-- How a pooler learns a role's verifier, so that no file of its host holds passwords of services.
-- Its owner is the superuser, who alone may read verifiers; it tells those of the roles that pass a
-- pooler and of nobody else, and none that has expired (a pooler does not look at VALID UNTIL).
CREATE OR REPLACE FUNCTION docshard.pooler_login(asked text)
RETURNS TABLE (name text, verifier text)
LANGUAGE sql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
    SELECT rolname::text, rolpassword
      FROM pg_catalog.pg_authid
     WHERE rolname = asked
       AND rolname IN ('docshard_app', 'docshard_worker', 'docshard_probe')
       AND rolcanlogin
       AND rolpassword LIKE 'SCRAM-SHA-256$%'
       AND (rolvaliduntil IS NULL OR rolvaliduntil > now())
$$;

REVOKE ALL ON FUNCTION docshard.pooler_login(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docshard.pooler_login(text) TO docshard_pooler;

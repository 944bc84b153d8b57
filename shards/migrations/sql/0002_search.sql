-- A statement enters its tenant as it runs, so it is planned for a tenant nobody knows, and by
-- default for an average one: a large tenant's list would be sorted instead of read along an index.
-- With so few distinct values the planner takes the largest tenant it has seen for the usual one,
-- and an ordered index costs a small tenant nothing.
ALTER TABLE docshard.documents ALTER COLUMN client_id SET (n_distinct = 1);
ANALYZE docshard.documents;

-- Loads pg_trgm: before that, its setting below is a stranger's that only a superuser may touch.
SELECT public.show_limit();

-- The tenant's documents whose name or metadata match, by the GIN indexes: their ids, or NULL when
-- there are more than `at_most`. Each condition that is NULL is left out; one must be given.
--
-- Behind row-level security PostgreSQL keeps ILIKE, <% and @> away from indexes, because they are
-- not leakproof. So this function belongs to a role that passes the wall and may only SELECT, and
-- it stands on its own for I4: it demands that the tenant it was given is the one that `enter` has
-- set in this statement, answers nothing but ids, and its caller reads the rows behind the wall.
--
-- `all_of` are ILIKE patterns that a name must all fit; `similar_to` is text that a part of the name
-- must resemble; with both, one of the two is enough. The statement is made anew for each call and
-- so planned for its values, and only bitmap scans are left to the planner: with a LIMIT it would
-- else prefer to stumble upon matches in a scan of everything, which never ends when there are none.
CREATE FUNCTION docshard.match_documents(
    client uuid, all_of text[], similar_to text, contained jsonb, at_most integer
) RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET pg_trgm.word_similarity_threshold = '0.4'
SET enable_seqscan = off
SET enable_indexscan = off
SET enable_indexonlyscan = off
SET jit = off
AS $$
DECLARE
    tenant uuid := nullif(current_setting('app.client_id', true), '')::uuid;
    name_fits text;
    resembles text := '$3 OPERATOR(public.<%) original_name';
    condition text := 'client_id = $1';
    found uuid[];
BEGIN
    IF tenant IS NULL OR client IS NULL OR tenant <> client THEN
        RAISE EXCEPTION 'a search must enter its tenant first' USING ERRCODE = 'DS007';
    END IF;
    IF num_nonnulls(all_of, similar_to, contained) = 0 OR at_most IS NULL THEN
        RAISE EXCEPTION 'a search needs a condition and a bound' USING ERRCODE = '22004';
    END IF;
    SELECT '(' || string_agg(format('original_name ILIKE $2[%s]', place), ' AND ') || ')'
      INTO name_fits FROM generate_subscripts(all_of, 1) AS place;
    IF name_fits IS NOT NULL AND similar_to IS NOT NULL THEN
        condition := format('%s AND (%s OR %s)', condition, name_fits, resembles);
    ELSIF name_fits IS NOT NULL OR similar_to IS NOT NULL THEN
        condition := format('%s AND %s', condition, coalesce(name_fits, resembles));
    END IF;
    IF contained IS NOT NULL THEN
        condition := condition || ' AND metadata @> $4';
    END IF;
    EXECUTE format('SELECT coalesce(array_agg(id), ''{}'') FROM ('
                   'SELECT id FROM docshard.documents WHERE %s LIMIT $5) AS matched', condition)
       INTO found USING client, all_of, similar_to, contained, at_most + 1;
    RETURN CASE WHEN cardinality(found) <= at_most THEN found END;
END $$;
REVOKE EXECUTE ON FUNCTION docshard.match_documents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docshard.match_documents TO docshard_app;
-- To become the owner a role needs CREATE on the schema, for this moment only.
GRANT CREATE ON SCHEMA docshard TO docshard_search;
ALTER FUNCTION docshard.match_documents OWNER TO docshard_search;
REVOKE CREATE ON SCHEMA docshard FROM docshard_search;

-- Last, since it locks the table against everybody until the commit.
DROP INDEX docshard.idx_documents_living, docshard.idx_documents_deleted,
    docshard.idx_documents_mime_type;

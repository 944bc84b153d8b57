-- Locks the table against writers for as long as it takes: on a big one, in a quiet hour.
CREATE INDEX idx_documents_name ON docshard.documents
    USING gin (client_id, original_name gin_trgm_ops);

-- As in 0002. Loads pg_trgm first: its setting is else a stranger's.
SELECT public.show_limit();
CREATE OR REPLACE FUNCTION docshard.match_documents(
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

DROP INDEX docshard.idx_documents_name_keys;

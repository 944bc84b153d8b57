-- As in 0002, by the keys of names: ids, or NULL when there are more than `at_most` to look at.
-- Names are looked up first, and what they leave is held against the rest; metadata only when names
-- are not asked for or are too many. The same rules stand: the tenant must be the one that this
-- statement entered, and ids are all that is answered. Names are similar from a word_similarity of
-- 0.4 on, when a word begins like one of the text.
CREATE OR REPLACE FUNCTION docshard.match_documents(
    client uuid, all_of text[], similar_to text, contained jsonb, at_most integer
) RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_indexscan = off
SET enable_indexonlyscan = off
SET jit = off
AS $$
DECLARE
    tenant uuid := nullif(current_setting('app.client_id', true), '')::uuid;
    named tsquery := docshard.name_query(client, all_of, similar_to);
    -- The limit is on what is met, not on what fits: that bounds the work. Only the index can serve
    -- the condition inside, whatever the planner believes.
    look_up text := $query$
        WITH met AS MATERIALIZED (
            SELECT client_id, id, original_name, metadata FROM docshard.documents
             WHERE %s LIMIT $6 + 1)
        SELECT CASE WHEN (SELECT count(*) FROM met) <= $6 THEN ARRAY(
            SELECT id FROM met
             WHERE client_id = $1
               AND ($3 IS NULL AND $4 IS NULL
                    OR original_name ILIKE ALL ($3)
                    OR public.word_similarity($4, original_name) >= 0.4
                       AND ($7 OR docshard.beginnings(original_name) && docshard.beginnings($4)))
               AND ($5 IS NULL OR metadata @> $5)) END
    $query$;
    common boolean := false;
    found uuid[];
BEGIN
    IF tenant IS NULL OR client IS NULL OR tenant <> client THEN
        RAISE EXCEPTION 'a search must enter its tenant first' USING ERRCODE = 'DS007';
    END IF;
    IF num_nonnulls(all_of, similar_to, contained) = 0 OR at_most IS NULL THEN
        RAISE EXCEPTION 'a search needs a condition and a bound' USING ERRCODE = '22004';
    END IF;
    IF all_of IS NULL AND similar_to IS NOT NULL AND named IS NULL THEN
        -- Nothing begins like a number or a short word.
        RETURN '{}';
    END IF;
    IF named IS NOT NULL THEN
        EXECUTE format(look_up, 'docshard.name_keys(client_id, original_name) @@ $2')
           INTO found
          USING client, named, all_of, similar_to, contained, at_most, all_of IS NULL;
    END IF;
    IF found IS NULL AND contained IS NOT NULL THEN
        IF named IS NOT NULL THEN
            -- What one in twenty of the newest has, they will show; to look it up would be long.
            PERFORM set_config('enable_indexscan', 'on', true);
            SELECT count(*) > 10 INTO common FROM (
                SELECT metadata FROM docshard.documents
                 WHERE client_id = client AND deleted_at IS NULL
                 ORDER BY created_at DESC, id DESC LIMIT 200) AS newest
             WHERE metadata @> contained;
            PERFORM set_config('enable_indexscan', 'off', true);
        END IF;
        IF NOT common THEN
            EXECUTE format(look_up, 'client_id = $1 AND metadata @> $5')
               INTO found USING client, named, all_of, similar_to, contained, at_most, false;
        END IF;
    END IF;
    RETURN found;
END $$;

-- Last, since it locks the table against everybody until the commit.
DROP INDEX docshard.idx_documents_name;

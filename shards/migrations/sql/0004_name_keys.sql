-- Under which keys a document's name is found. An index holds what these functions answer: who
-- changes what they answer must build it again.

-- How the words of a name begin, give or take a letter: of every word that has four letters or more
-- and is not a number, the first six letters, and these with each one left out. Two words that begin
-- alike but for one letter that is wrong, missing, too many or swapped with its neighbour have one
-- of these in common.
CREATE FUNCTION docshard.beginnings(name text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    word text;
    found text[] := '{}';
BEGIN
    FOREACH word IN ARRAY regexp_split_to_array(lower(name), '[^[:alnum:]]+') LOOP
        CONTINUE WHEN length(word) < 4 OR ltrim(word, '0123456789') = '';
        word := left(word, 6);
        -- Without the letter behind its end, it is itself.
        FOR place IN 1 .. length(word) + 1 LOOP
            found := found || overlay(word PLACING '' FROM place FOR 1);
        END LOOP;
    END LOOP;
    RETURN found;
END $$;

-- What the tenant's keys begin with: every tenant has a part of the index of its own, so that nobody
-- waits for the words of others. It is 36 bits of the id, its random end: should two tenants ever
-- agree in them, each finds the other's rows there and drops them by their client_id.
CREATE FUNCTION docshard.key_space(client uuid) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN left(encode(substring(uuid_send(client) FROM 12), 'base64'), 6);

-- The keys: the beginnings behind a `~`, and the first twelve letters of every word from its first
-- letter on, from its second, and so on as long as there are three. What stands anywhere in a word
-- is what one of these begins with.
CREATE FUNCTION docshard.name_keys(client uuid, name text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    space text := docshard.key_space(client);
    word text;
    keys text[] := '{}';
BEGIN
    FOREACH word IN ARRAY regexp_split_to_array(lower(name), '[^[:alnum:]]+') LOOP
        FOR place IN 1 .. length(word) - 2 LOOP
            keys := keys || (space || substr(word, place, 12));
        END LOOP;
    END LOOP;
    FOREACH word IN ARRAY docshard.beginnings(name) LOOP
        keys := keys || (space || '~' || word);
    END LOOP;
    RETURN array_to_tsvector(keys);
END $$;

-- What to ask those keys for: names that hold all words of the patterns, or, with `similar_to`, have
-- a word that begins like one of its words. NULL when no key tells, or there is none.
CREATE FUNCTION docshard.name_query(client uuid, all_of text[], similar_to text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN all_of IS NULL OR holding IS NOT NULL
                THEN nullif(concat_ws(' | ', holding, alike), '')::tsquery END
      FROM (SELECT '(' || string_agg(format('''%s%s'':*', docshard.key_space(client),
                                            left(word, 12)), ' & ') || ')'
              FROM unnest(all_of) AS pattern,
                   regexp_split_to_table(lower(pattern), '[^[:alnum:]]+') AS word
             WHERE length(word) > 2) AS words (holding),
           (SELECT string_agg(format('''%s~%s''', docshard.key_space(client), beginning), ' | ')
              FROM unnest(docshard.beginnings(similar_to)) AS beginning) AS begun (alike)
$$;

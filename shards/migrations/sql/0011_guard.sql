-- The guard asks the same as before, and in its own statements. What it asked through enter_write
-- was dear for a reason that is not seen in it: PL/pgSQL keeps plans for the search_path that they
-- were made under. The queue's row is written by a function with a search_path of its own, so in
-- each transaction with an audit row the one enter_write planned everything anew for the queue's
-- guard, and once more for the next caller. A trigger function is compiled for each trigger apart:
-- what stands in it meets one search_path.
--
-- Still true of every statement (0001): the lock is taken, which costs nothing where it is held, and
-- what is read is read in a statement that begins behind it. Whatever is not plainly open at that
-- epoch is left to enter_write, which asks again and says why.
CREATE OR REPLACE FUNCTION docshard.guard_fence() RETURNS trigger
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    client uuid := nullif(current_setting('app.client_id', true), '')::uuid;
    entered text := nullif(current_setting('app.write_epoch', true), '');
    open_at text;
BEGIN
    IF client IS NULL OR entered IS NULL THEN
        RAISE EXCEPTION 'a write to % must enter first', TG_TABLE_NAME USING ERRCODE = 'DS005';
    END IF;
    -- As a part of an expression, which PERFORM would make a query of. It is never NULL.
    IF current_setting('transaction_isolation') = 'read committed'
        AND pg_advisory_xact_lock_shared(docshard.tenant_lock(client)) IS NOT NULL THEN
        SELECT r.epoch::text INTO open_at
          FROM docshard.residency r WHERE r.client_id = client AND r.state = 'open';
        IF open_at = entered THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM docshard.enter_write(client, entered::bigint);
    RETURN NULL;
END $$;

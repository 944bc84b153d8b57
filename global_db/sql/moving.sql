-- What a mover needs a superuser for: made by the superuser on every cluster, like places.sql.
-- PostgreSQL 15 lets nobody else subscribe, and whoever publishes a table must own it. Each function
-- makes or drops one thing, whose name says that it is a move's. They call nothing of this schema,
-- whose owner could put something else in the place of what they call.

-- Publishes the rows of these tenants in these tables, and the markers of the move. The filters name
-- client_id alone, which every table's key leads with: a column outside the key would make every
-- update of the table fail, other tenants' too.
CREATE OR REPLACE FUNCTION docshard.publish(
    name text, tables text[], clients uuid[], move uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenants CONSTANT text := (SELECT string_agg(quote_literal(c) || '::uuid', ', ')
                                FROM unnest(clients) AS c);
    filtered text;
BEGIN
    IF name !~ '^docshard_move_[0-9a-f]{32}(_back)?$' THEN
        RAISE EXCEPTION '% is no name of a move', name USING ERRCODE = '22023';
    END IF;
    SELECT string_agg(format('docshard.%I WHERE (client_id IN (%s))', c.relname, tenants), ', ')
      INTO filtered
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'docshard' AND c.relname = ANY (tables) AND c.relname <> 'residency'
       AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    HAVING count(*) = cardinality(tables);
    IF filtered IS NULL THEN
        RAISE EXCEPTION 'no tables of tenants, or no tenants' USING ERRCODE = '22023';
    END IF;
    EXECUTE format('CREATE PUBLICATION %I FOR TABLE %s, docshard.move_markers '
                   'WHERE (move_id = %L::uuid) WITH (publish = ''insert, update, delete'', '
                   'publish_via_partition_root = true)', name, filtered, move);
END $$;

CREATE OR REPLACE FUNCTION docshard.unpublish(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF name !~ '^docshard_move_[0-9a-f]{32}(_back)?$' THEN
        RAISE EXCEPTION '% is no name of a move', name USING ERRCODE = '22023';
    END IF;
    EXECUTE format('DROP PUBLICATION IF EXISTS %I', name);
END $$;

-- Subscribes to the publication of that name through the slot of that name. Rows are applied with the
-- superuser's rights: nobody else passes row-level security on 15, and from 16 on whoever applies
-- needs rights on every partition of the log, which nobody has. So the publisher, who says which
-- tables there are, may say tenants' tables only. From 16 on what came from another subscription is
-- not sent: both sides of a move may listen.
--
-- What is applied need not be on disk before it is seen. Nobody is let in to it before the opening,
-- whose COMMIT, like any, flushes all WAL before its own; and a server that crashes before that asks
-- the slot again for what it lost, since the slot has been told only of what was flushed. On 15 the
-- way back is advanced to behind what was applied, and a slot is not advanced past what is flushed.
--
-- conninfo holds a password. It stands in no log: the caller binds it and forbids that bound values
-- are logged; an error inside would show the statement as its context, so it is raised anew.
CREATE OR REPLACE FUNCTION docshard.subscribe(name text, conninfo text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    newer CONSTANT boolean := current_setting('server_version_num')::integer >= 160000;
    subscription oid;
BEGIN
    IF name !~ '^docshard_move_[0-9a-f]{32}(_back)?$' THEN
        RAISE EXCEPTION '% is no name of a move', name USING ERRCODE = '22023';
    END IF;
    BEGIN
        EXECUTE format('CREATE SUBSCRIPTION %1$I CONNECTION %2$L PUBLICATION %1$I WITH ('
                       'create_slot = false, slot_name = %1$L, copy_data = false, binary = true, '
                       'synchronous_commit = %3$s)', name, conninfo,
                       CASE WHEN newer THEN 'off, run_as_owner = true, origin = none'
                            ELSE 'local' END);
    EXCEPTION WHEN OTHERS THEN
        -- Nor may it look as if the connection to this server had failed.
        RAISE EXCEPTION 'cannot subscribe: %', SQLERRM USING ERRCODE = 'DS012';
    END;
    SELECT s.oid INTO subscription FROM pg_subscription s
      JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
     WHERE s.subname = name;
    IF EXISTS (
        SELECT FROM pg_subscription_rel r JOIN pg_class c ON c.oid = r.srrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE r.srsubid = subscription AND (n.nspname <> 'docshard' OR c.relname = 'residency'
            OR c.relname <> 'move_markers' AND NOT EXISTS (
                SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'client_id')))
    THEN
        RAISE EXCEPTION 'the publisher offers other tables than tenants''' USING ERRCODE = '22023';
    END IF;
END $$;

-- Ends the subscription and leaves its slot. The worker has ended when this returns.
CREATE OR REPLACE FUNCTION docshard.unsubscribe(name text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF name !~ '^docshard_move_[0-9a-f]{32}(_back)?$' THEN
        RAISE EXCEPTION '% is no name of a move', name USING ERRCODE = '22023';
    ELSIF EXISTS (SELECT FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
                   WHERE d.datname = current_database() AND s.subname = name) THEN
        EXECUTE format('ALTER SUBSCRIPTION %I DISABLE', name);
        EXECUTE format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', name);
        EXECUTE format('DROP SUBSCRIPTION %I', name);
    END IF;
END $$;

REVOKE EXECUTE ON FUNCTION docshard.publish, docshard.unpublish, docshard.subscribe,
    docshard.unsubscribe FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docshard.publish, docshard.unpublish, docshard.subscribe,
    docshard.unsubscribe TO docshard_mover;
-- Whoever inspects a cluster may drop what a dead move left.
GRANT EXECUTE ON FUNCTION docshard.unpublish, docshard.unsubscribe TO docshard_admin;

-- Copying and sweeping fire no triggers; a password that is bound is not logged.
GRANT SET ON PARAMETER session_replication_role, log_parameter_max_length TO docshard_mover;
-- Which transaction a slot waits for, and whether standbys stream.
GRANT pg_read_all_stats TO docshard_mover;

-- Where a server stands in the history of its cluster: made by the superuser on every cluster, the
-- global one included, since only a superuser may read what stands behind these answers. Each tells
-- positions and nothing else. Those that run with the superuser's rights call nothing of this schema,
-- whose owner could put something else in the place of what they call.

-- The timeline that this server writes or replays; NULL where it cannot be known for certain.
-- pg_control is seconds late after a promotion, so on a primary the WAL file's name tells, and on a
-- standby what it receives. A standby that receives nothing follows the newest timeline it has ever
-- heard of, if that is the one of its last restart point, too.
CREATE OR REPLACE FUNCTION docshard.timeline() RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found integer;
BEGIN
    IF NOT pg_is_in_recovery() THEN
        RETURN ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::integer;
    END IF;
    SELECT received_tli INTO found FROM pg_stat_wal_receiver WHERE status = 'streaming';
    IF found IS NOT NULL THEN
        RETURN found;
    END IF;
    SELECT coalesce(max(('x' || substr(name, 1, 8))::bit(32)::integer), 1) INTO found
      FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{8}\.history$';
    RETURN (SELECT timeline_id FROM pg_control_checkpoint() WHERE timeline_id = found);
END $$;

-- What a poll asks. `lsn` counts bytes: on a primary up to where WAL is flushed, which covers every
-- commit that was acknowledged; on a standby what it has replayed. `committed_at` is the time of the
-- last commit that a standby has replayed.
CREATE OR REPLACE FUNCTION docshard.place(
    OUT standby boolean, OUT timeline integer, OUT lsn bigint, OUT committed_at timestamptz,
    OUT system bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    standby := pg_is_in_recovery();
    -- The position first: a timeline that is read later is at least as new.
    lsn := CASE WHEN standby THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END
           - '0/0'::pg_lsn;
    timeline := docshard.timeline();
    committed_at := pg_last_xact_replay_timestamp();
    system := (SELECT system_identifier FROM pg_control_system());
END $$;

-- Where each ancestor of a timeline ended, as the server's own history file has it; nothing when
-- this server has no such file.
CREATE OR REPLACE FUNCTION docshard.ancestors(of_timeline integer)
RETURNS TABLE (timeline integer, ended_at bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT line[1]::integer, (line[2]::pg_lsn - '0/0'::pg_lsn)::bigint
      FROM regexp_matches(
               pg_read_file(
                   'pg_wal/' || lpad(upper(to_hex(of_timeline)), 8, '0') || '.history',
                   0, 1048576, true),
               '^\s*(\d+)\s+([0-9A-F]+/[0-9A-F]+)', 'gn') AS line
$$;

-- Raises unless this server stands on that timeline, at least at that position. A standby that is
-- almost there is waited for. The read that relies on it is a later statement, whose snapshot is
-- therefore newer; in the same statement it could be older than what was found here.
-- The timeline is read after the position: it only grows, so the position was reached on it.
-- SQLSTATEs: DS007 not that far, DS008 another timeline.
CREATE OR REPLACE FUNCTION docshard.demand_place(
    wanted_timeline integer, wanted_lsn bigint, patience_ms integer)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted CONSTANT pg_lsn := '0/0'::pg_lsn + wanted_lsn::numeric;
    until CONSTANT timestamptz := clock_timestamp() + patience_ms * interval '1 millisecond';
BEGIN
    IF pg_is_in_recovery() THEN
        WHILE pg_last_wal_replay_lsn() < wanted LOOP
            IF clock_timestamp() >= until THEN
                RAISE EXCEPTION 'not replayed that far yet' USING ERRCODE = 'DS007';
            END IF;
            PERFORM pg_sleep(0.002);
        END LOOP;
    ELSIF pg_current_wal_insert_lsn() < wanted THEN
        RAISE EXCEPTION 'not written that far' USING ERRCODE = 'DS007';
    END IF;
    IF docshard.timeline() IS DISTINCT FROM wanted_timeline THEN
        RAISE EXCEPTION 'this server stands on another timeline' USING ERRCODE = 'DS008';
    END IF;
END $$;

-- Which life of which server this is: another one after each start of the server, and after each
-- restart of its processes because one of them crashed. The statistics are thrown away then, before
-- anybody is let in, and say when; they survive an orderly restart, where the other time is new.
-- Within a life replay never goes back, and no backend outlives the life it was born in.
CREATE OR REPLACE FUNCTION docshard.life() RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT pg_catalog.hash_record_extended(
        ROW(pg_catalog.pg_postmaster_start_time(),
            pg_catalog.pg_stat_get_bgwriter_stat_reset_time()), 0)
$$;

-- `value`, in that life; in any other SQLSTATE DS007. Unlike a place this may be asked in the very
-- statement that relies on it: whatever its snapshot, it has been the same life from before it on.
CREATE OR REPLACE FUNCTION docshard.in_life(value uuid, wanted bigint) RETURNS uuid
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF docshard.life() IS DISTINCT FROM wanted THEN
        RAISE EXCEPTION 'the server was restarted' USING ERRCODE = 'DS007';
    END IF;
    RETURN value;
END $$;

REVOKE EXECUTE ON FUNCTION docshard.timeline, docshard.ancestors FROM PUBLIC;
GRANT EXECUTE ON FUNCTION docshard.timeline, docshard.ancestors
    TO docshard_app, docshard_worker, docshard_admin, docshard_mover, docshard_owner;

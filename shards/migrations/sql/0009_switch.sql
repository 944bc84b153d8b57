-- What a switch awaits and demands on the server itself: its callers wait for each way there and
-- back, so a transaction of the mover is one message, and what was polled for is waited for here.

-- Whether the statement before changed the whole batch; the transaction ends otherwise.
-- SQLSTATE DS013; the detail is how many rows there were.
CREATE FUNCTION docshard.demand_whole(changed bigint, batch bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF changed <> batch THEN
        RAISE EXCEPTION 'only % of % tenants are as the move left them', changed, batch
            USING ERRCODE = 'DS013', DETAIL = changed::text;
    END IF;
    RETURN changed;
END $$;

-- Waits until that marker of the stream has been applied here. Each look is a statement of its own,
-- so under READ COMMITTED it sees what was committed meanwhile. SQLSTATE DS014: not in time.
CREATE FUNCTION docshard.await_marker(stream uuid, wanted bigint, patience_ms integer) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    until CONSTANT timestamptz := clock_timestamp() + patience_ms * interval '1 millisecond';
BEGIN
    WHILE NOT EXISTS (
        SELECT FROM docshard.move_markers WHERE move_id = stream AND number >= wanted) LOOP
        IF clock_timestamp() >= until THEN
            RAISE EXCEPTION 'the marker has not arrived' USING ERRCODE = 'DS014';
        END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
END $$;

-- On a standby: waits until it has on disk what was written up to there, as long as it streams at
-- all, and tells what it has. The timeline is read after the position: it only grows, so what was
-- received was received on it or on one before.
CREATE FUNCTION docshard.await_received(
    wanted bigint, patience_ms integer,
    OUT flushed bigint, OUT timeline integer, OUT streams boolean)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    until CONSTANT timestamptz := clock_timestamp() + patience_ms * interval '1 millisecond';
BEGIN
    LOOP
        flushed := coalesce(pg_last_wal_receive_lsn() - '0/0'::pg_lsn, 0);
        streams := EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming');
        EXIT WHEN flushed >= wanted OR NOT streams OR clock_timestamp() >= until;
        PERFORM pg_sleep(0.001);
    END LOOP;
    timeline := docshard.timeline();
END $$;

-- How often clients are read and written: a rate that forgets. Each request counts for 1/T at first
-- and for exp(-age/T)/T later, T being 120 seconds; whoever served it, and whenever it was told, the
-- sum is the same. Stored is the level, ln(rate) + now/T: while nothing is added it stays as it is,
-- so that an index holds the order of today's rates without anybody aging them ("forward decay",
-- Cormode and others, 2009). NULL: never.
--
-- UNLOGGED: servers tell it every few seconds, and what a crash takes comes back within minutes.
CREATE UNLOGGED TABLE docshard.client_rates (
    client_id    uuid             NOT NULL,
    reads_level  double precision,
    writes_level double precision,
    updated_at   timestamptz      NOT NULL DEFAULT now(),
    CONSTRAINT pk_client_rates PRIMARY KEY (client_id),
    CONSTRAINT fk_client_rates_client_id FOREIGN KEY (client_id)
        REFERENCES docshard.clients (id) ON DELETE CASCADE
);
CREATE INDEX idx_client_rates_reads
    ON docshard.client_rates (reads_level DESC NULLS LAST, client_id);
CREATE INDEX idx_client_rates_writes
    ON docshard.client_rates (writes_level DESC NULLS LAST, client_id);

-- What clients have on their shard: rows of all tenant tables, and the part of the tables' and
-- indexes' bytes that so many rows are. Blobs are not in it.
CREATE TABLE docshard.client_sizes (
    client_id   uuid        NOT NULL,
    rows        bigint      NOT NULL,
    bytes       bigint      NOT NULL,
    measured_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_client_sizes PRIMARY KEY (client_id),
    CONSTRAINT fk_client_sizes_client_id FOREIGN KEY (client_id)
        REFERENCES docshard.clients (id) ON DELETE CASCADE,
    CONSTRAINT ck_client_sizes_rows CHECK (rows >= 0),
    CONSTRAINT ck_client_sizes_bytes CHECK (bytes >= 0)
);
CREATE INDEX idx_client_sizes_rows ON docshard.client_sizes (rows DESC, client_id);
CREATE INDEX idx_client_sizes_bytes ON docshard.client_sizes (bytes DESC, client_id);

-- Who serves tells rates; only the worker measures.
GRANT SELECT, INSERT ON docshard.client_rates TO docshard_app, docshard_worker;
GRANT UPDATE (reads_level, writes_level, updated_at) ON docshard.client_rates
    TO docshard_app, docshard_worker;
GRANT SELECT, INSERT ON docshard.client_sizes TO docshard_worker;
GRANT UPDATE (rows, bytes, measured_at) ON docshard.client_sizes TO docshard_worker;

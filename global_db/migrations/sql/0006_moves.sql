-- What running a move needs to know besides its state, and who may change it.

-- `wish` is the operator's word, heard by whoever runs the move. `facts` is what the mover has seen
-- and looks at again before the commit point: which database systems on which timelines. `progress`
-- is for people. A move that `reverses` another one is fed by that one's way back; one that
-- `retries` another has its clients, after it was aborted.
ALTER TABLE docshard.moves
    ADD COLUMN position    integer     NOT NULL DEFAULT 0,
    ADD COLUMN wish        text        NOT NULL DEFAULT 'run',
    ADD COLUMN attempts    integer     NOT NULL DEFAULT 0,
    ADD COLUMN not_before  timestamptz,
    ADD COLUMN fault       text,
    ADD COLUMN reverses    uuid,
    ADD COLUMN retries     uuid,
    ADD COLUMN progress    jsonb       NOT NULL DEFAULT '{}',
    ADD COLUMN facts       jsonb       NOT NULL DEFAULT '{}',
    ADD COLUMN state_since timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN switched_at timestamptz,
    ADD COLUMN sweep_after timestamptz,
    ADD COLUMN reason      text        NOT NULL DEFAULT '',
    ADD COLUMN created_by  uuid,
    ADD CONSTRAINT ck_moves_wish CHECK (wish IN ('run', 'pause', 'abort')),
    ADD CONSTRAINT fk_moves_reverses FOREIGN KEY (reverses) REFERENCES docshard.moves (id),
    ADD CONSTRAINT fk_moves_retries FOREIGN KEY (retries) REFERENCES docshard.moves (id);
-- A move is undone once and retried once; what came of it may be undone or retried in its turn.
CREATE UNIQUE INDEX idx_moves_reverses ON docshard.moves (reverses) WHERE state <> 'aborted';
CREATE UNIQUE INDEX idx_moves_retries ON docshard.moves (retries);

ALTER TABLE docshard.rebalances
    ADD COLUMN settings   jsonb       NOT NULL DEFAULT '{}',
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
-- One at a time: two plans made from the same facts would undo each other.
CREATE UNIQUE INDEX idx_rebalances_living ON docshard.rebalances ((true))
    WHERE state IN ('planned', 'running', 'paused');

-- The mover alone changes where a tenant lives, and nothing else about it.
GRANT SELECT ON docshard.clients, docshard.shards, docshard.rebalances, docshard.moves,
    docshard.move_clients, docshard.leftovers TO docshard_mover;
GRANT UPDATE (shard, epoch, updated_at) ON docshard.clients TO docshard_mover;
GRANT INSERT, UPDATE ON docshard.moves, docshard.move_clients, docshard.leftovers TO docshard_mover;
GRANT UPDATE (state, updated_at, finished_at) ON docshard.rebalances TO docshard_mover;
GRANT INSERT ON docshard.audit_logs TO docshard_mover;

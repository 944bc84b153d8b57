REVOKE ALL ON ALL TABLES IN SCHEMA docshard FROM docshard_mover;
DROP INDEX docshard.idx_rebalances_living;
ALTER TABLE docshard.rebalances DROP COLUMN settings, DROP COLUMN updated_at;
DROP INDEX docshard.idx_moves_retries, docshard.idx_moves_reverses;
ALTER TABLE docshard.moves
    DROP COLUMN created_by, DROP COLUMN reason, DROP COLUMN sweep_after, DROP COLUMN switched_at,
    DROP COLUMN state_since, DROP COLUMN facts, DROP COLUMN progress, DROP COLUMN retries,
    DROP COLUMN reverses, DROP COLUMN fault, DROP COLUMN not_before, DROP COLUMN attempts,
    DROP COLUMN wish, DROP COLUMN position;

-- What a backup begins and ends with, and restore points: a superuser's alone unless granted. Made by
-- the superuser on every cluster, like places.sql.
GRANT EXECUTE ON FUNCTION
    pg_backup_start(text, boolean), pg_backup_stop(boolean), pg_switch_wal(),
    pg_create_restore_point(text)
    TO docshard_backup;
GRANT EXECUTE ON FUNCTION pg_create_restore_point(text), pg_switch_wal()
    TO docshard_admin, docshard_worker;

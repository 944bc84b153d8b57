-- A new row is held to the tenant that is set when it is looked at, not to the one that was set at
-- the statement's first row; and without a query inside the statement, which is planned each time.
-- Rows that are read stay with the query: a scan evaluates it once.
--
-- Before the revision's transaction, each table for itself: it is locked against everybody for an
-- instant, and who holds two of them waits for writers that have the second and want the first.
SET lock_timeout = '3s';
ALTER POLICY tenant ON docshard.{table}
    WITH CHECK (client_id = nullif(current_setting('app.client_id', true), '')::uuid);
RESET lock_timeout;

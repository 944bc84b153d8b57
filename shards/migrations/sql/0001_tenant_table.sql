-- What every tenant table gets; run once for each of them.
--
-- I4: nobody reads another tenant's row. Statements carry client_id; behind them stands row-level
-- security, FORCEd so that it binds the owner as well. A pooled connection leaves '' behind where
-- no tenant is set, hence nullif; and NULL matches no row.
ALTER TABLE docshard.{table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE docshard.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON docshard.{table}
    USING (client_id = (SELECT nullif(current_setting('app.client_id', true), '')::uuid))
    WITH CHECK (client_id = (SELECT nullif(current_setting('app.client_id', true), '')::uuid));

-- I3: the fence cannot be skipped.
CREATE TRIGGER guard_fence AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON docshard.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION docshard.guard_fence();
CREATE TRIGGER guard_row AFTER INSERT OR UPDATE OR DELETE ON docshard.{table}
    FOR EACH ROW EXECUTE FUNCTION docshard.guard_row();

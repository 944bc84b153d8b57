ALTER POLICY tenant ON docshard.{table}
    WITH CHECK (client_id = (SELECT nullif(current_setting('app.client_id', true), '')::uuid));

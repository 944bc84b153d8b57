-- Built-in permissions and roles; who may do what to which table; who hears of a changed placement.

INSERT INTO docshard.permissions (name, description) VALUES
    ('client:read', 'see a client'),
    ('client:edit', 'create, change and delete clients'),
    ('user:read', 'see users'),
    ('user:edit', 'create, change and delete users'),
    ('role:edit', 'change roles and grants'),
    ('document:read', 'see documents and their content'),
    ('document:write', 'create and change documents and their content'),
    ('document:delete', 'delete and restore documents'),
    ('document:purge', 'remove documents for good'),
    ('audit:read', 'see the audit log'),
    ('report:read', 'see usage reports'),
    ('key:edit', 'create and revoke API keys'),
    ('fleet:read', 'see placements and shards'),
    ('fleet:operate', 'move tenants and change shards');

INSERT INTO docshard.roles (id, name, description, built_in) VALUES
    ('01900000-0000-7000-8000-000000000001', 'admin', 'every permission', true),
    ('01900000-0000-7000-8000-000000000002', 'client_admin', 'everything inside a client', true),
    ('01900000-0000-7000-8000-000000000003', 'editor', 'reads and writes documents', true),
    ('01900000-0000-7000-8000-000000000004', 'viewer', 'reads documents', true),
    ('01900000-0000-7000-8000-000000000005', 'auditor', 'reads audit logs and reports', true),
    ('01900000-0000-7000-8000-000000000006', 'operator', 'runs the fleet', true);

INSERT INTO docshard.role_permissions (role_id, permission)
SELECT r.id, p.name
  FROM docshard.roles r
  JOIN docshard.permissions p ON CASE r.name
    WHEN 'admin' THEN true
    WHEN 'client_admin' THEN p.name IN ('client:read', 'user:read', 'document:read',
        'document:write', 'document:delete', 'document:purge', 'audit:read', 'report:read',
        'key:edit')
    WHEN 'editor' THEN p.name IN ('client:read', 'document:read', 'document:write',
        'document:delete')
    WHEN 'viewer' THEN p.name IN ('client:read', 'document:read')
    WHEN 'auditor' THEN p.name IN ('client:read', 'audit:read', 'report:read')
    WHEN 'operator' THEN p.name IN ('client:read', 'fleet:read', 'fleet:operate', 'audit:read')
    END;

-- Routers keep placements in memory; this tells them which one to forget. It is a courtesy, not a
-- guarantee: a stale placement is refused by the shard's fence.
CREATE FUNCTION docshard.announce_client() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('placement', NEW.id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER announce_client
    AFTER UPDATE OF shard, epoch, status, deleted_at ON docshard.clients
    FOR EACH ROW EXECUTE FUNCTION docshard.announce_client();

CREATE FUNCTION docshard.announce_shard() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('shards', NEW.name);
    RETURN NULL;
END $$;
CREATE TRIGGER announce_shard AFTER INSERT OR UPDATE ON docshard.shards
    FOR EACH ROW EXECUTE FUNCTION docshard.announce_shard();

GRANT SELECT ON ALL TABLES IN SCHEMA docshard TO docshard_app, docshard_worker;
GRANT INSERT, UPDATE ON docshard.users, docshard.roles, docshard.sessions, docshard.api_keys,
    docshard.data_keys TO docshard_app;
GRANT DELETE ON docshard.roles TO docshard_app;
GRANT INSERT, DELETE ON docshard.role_permissions, docshard.user_roles TO docshard_app;
GRANT INSERT, UPDATE, DELETE ON docshard.idempotency_keys TO docshard_app;
GRANT INSERT ON docshard.clients TO docshard_app;
-- Placement is not among them: only movers and operators change where a tenant lives.
GRANT UPDATE (code, name, metadata, status, managed_by, updated_at, deleted_at)
    ON docshard.clients TO docshard_app;
GRANT INSERT ON docshard.audit_logs TO docshard_app, docshard_worker;
GRANT DELETE ON docshard.idempotency_keys, docshard.sessions TO docshard_worker;
GRANT UPDATE (last_used_at) ON docshard.api_keys TO docshard_worker;
GRANT EXECUTE ON FUNCTION docshard.make_audit_partition TO docshard_worker;

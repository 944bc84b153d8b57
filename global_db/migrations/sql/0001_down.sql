DROP TABLE docshard.audit_logs, docshard.leftovers, docshard.move_clients, docshard.moves,
    docshard.rebalances, docshard.idempotency_keys, docshard.data_keys, docshard.sessions,
    docshard.api_keys, docshard.user_roles, docshard.clients, docshard.shards,
    docshard.role_permissions, docshard.roles, docshard.permissions, docshard.users CASCADE;
DROP FUNCTION docshard.hash_audit_row, docshard.refuse_change, docshard.make_audit_partition,
    docshard.announce_client, docshard.announce_shard;

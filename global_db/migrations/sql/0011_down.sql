DROP TABLE docshard.client_quotas;
DROP FUNCTION docshard.announce_quota;

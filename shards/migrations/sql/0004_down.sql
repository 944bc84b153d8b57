DROP FUNCTION docshard.name_query, docshard.name_keys, docshard.key_space, docshard.beginnings;

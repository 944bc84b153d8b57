DROP TRIGGER refuse_erased ON docshard.move_clients;
DROP TRIGGER refuse_erased_restore ON docshard.clients;
DROP TRIGGER refuse_erased ON docshard.clients;
DROP FUNCTION docshard.refuse_erased_client, docshard.refuse_erased_move;
DROP TABLE docshard.erasures;

DROP FUNCTION docshard.await_received, docshard.await_marker, docshard.demand_whole;

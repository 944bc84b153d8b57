DROP FUNCTION docshard.hold_placement;
DROP TABLE docshard.restore_points;

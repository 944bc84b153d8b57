DROP TABLE docshard.drills;
DROP TABLE docshard.canaries;

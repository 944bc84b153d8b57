DROP TABLE docshard.canaries;

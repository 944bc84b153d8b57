-- Figures of the last drills: the worker reads them, and changes none.
GRANT SELECT ON docshard.drills TO docshard_worker;

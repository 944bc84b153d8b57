REVOKE SELECT ON docshard.drills FROM docshard_worker;

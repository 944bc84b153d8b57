"""One shard's data, and the set of shards: ring, registry, residency, documents, audit."""

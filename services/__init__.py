"""Use cases: one function is one use case is one transaction. Also S3, keys and tokens."""

"""Benchmarks: what a part of the design costs, as a ratio of two forms measured in one run.

    python -m loadtests.bench

Unlike the load tests they look inside: they run the shards' own schema and SQL on a throwaway
PostgreSQL server.
"""

"""Benchmarks: what the service and its parts cost, as ratios of forms measured in one run.

    python -m loadtests.bench
    python -m loadtests.bench.search

Unlike the load tests they look inside: they run SQL on the databases of a throwaway fleet, which
`docshard up` made for them with the schemas of the service.
"""

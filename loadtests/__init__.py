"""Load tests and benchmarks. They speak HTTP to a running fleet and import nothing of the service."""

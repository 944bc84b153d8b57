"""Load tests and benchmarks. They speak HTTP to a running fleet and import nothing of the service.

python -m loadtests.run --seconds 30 --users 20
"""

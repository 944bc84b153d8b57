"""The fleet as a value: clusters, nodes, poolers, storage; planned and rendered without any I/O."""

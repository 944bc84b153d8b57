"""Use cases of operators: shards, migrations, leases, sweeps, health."""

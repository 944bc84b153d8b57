"""The fleet against a model: operators, tenants and faults, in histories that can be told again."""

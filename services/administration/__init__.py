"""Use cases of administrators: clients, users, roles and grants."""

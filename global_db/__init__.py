"""Who exists, where they live, what is moving; and one PostgreSQL cluster of several nodes."""

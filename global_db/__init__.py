"""Who exists, where they live, what is moving; and one PostgreSQL cluster with its primary and replicas."""

"""The routes, by subject. Each says who may call it, and hands over to one use case."""

"""Lines of logs: one object a line for machines, words for people, and no secret in either."""

"""The operators' edge: the command, the fleet, the worker and rendered configuration."""

"""Bodies and parameters of the API."""

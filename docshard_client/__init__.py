"""The Python SDK for tenants. It imports nothing of the service."""

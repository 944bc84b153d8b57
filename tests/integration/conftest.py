"""Real servers for integration tests."""

from tests.integration.s3 import blobs, s3_server, s3_settings

__all__ = ["blobs", "s3_server", "s3_settings"]

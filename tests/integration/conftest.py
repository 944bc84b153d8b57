"""Real servers for integration tests."""

from tests.integration.s3 import blobs, s3_server, s3_settings
from tests.integration.service import key_file, service, user

__all__ = ["blobs", "key_file", "s3_server", "s3_settings", "service", "user"]

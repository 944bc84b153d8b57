"""Real servers for tests that hurt them."""

from tests.integration.s3 import blobs, s3_server, s3_settings
from tests.integration.service import desk, resources, service

__all__ = ["blobs", "desk", "resources", "s3_server", "s3_settings", "service"]

"""Real servers for tests that hurt them."""

from tests.integration.desk import desk, desk_resources, workplace
from tests.integration.s3 import blobs, s3_server, s3_settings

__all__ = ["blobs", "desk", "desk_resources", "s3_server", "s3_settings", "workplace"]

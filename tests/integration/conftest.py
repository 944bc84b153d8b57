"""Real servers for integration tests."""

from tests.integration.crowd import make_crowd
from tests.integration.s3 import blobs, s3_server, s3_settings
from tests.integration.scene import make_scene
from tests.integration.service import desk, resources, service

__all__ = [
    "blobs",
    "desk",
    "make_crowd",
    "make_scene",
    "resources",
    "s3_server",
    "s3_settings",
    "service",
]

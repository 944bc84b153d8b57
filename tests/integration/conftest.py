"""Real servers for integration tests."""

from tests.integration.crowd import make_crowd
from tests.integration.kms import kms
from tests.integration.s3 import blobs, s3_server, s3_settings
from tests.integration.scene import make_scene
from tests.integration.service import key_file, service, user

__all__ = [
    "blobs",
    "key_file",
    "kms",
    "make_crowd",
    "make_scene",
    "s3_server",
    "s3_settings",
    "service",
    "user",
]

"""Real servers for tests that hurt them."""

from tests.integration.desk import desk, desk_resources, workplace
from tests.integration.pair import pair_template
from tests.integration.s3 import blobs, s3_server, s3_settings

__all__ = [
    "blobs",
    "desk",
    "desk_resources",
    "pair_template",
    "s3_server",
    "s3_settings",
    "workplace",
]

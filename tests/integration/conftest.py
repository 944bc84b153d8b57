"""Real servers for integration tests."""

from tests.integration.belongings import estates, versioned_s3
from tests.integration.chains import chains
from tests.integration.crowd import make_crowd
from tests.integration.desk import desk, desk_resources, workplace
from tests.integration.kms import kms
from tests.integration.movers import make_course, make_streaming
from tests.integration.pair import pair_template
from tests.integration.pooled_pair import dress, make_pooler, make_two
from tests.integration.proving import make_proving
from tests.integration.s3 import blobs, s3_server, s3_settings
from tests.integration.scene import make_scene
from tests.integration.service import key_file, service, user

__all__ = [
    "blobs",
    "chains",
    "desk",
    "desk_resources",
    "dress",
    "estates",
    "key_file",
    "kms",
    "make_course",
    "make_crowd",
    "make_pooler",
    "make_proving",
    "make_scene",
    "make_streaming",
    "make_two",
    "pair_template",
    "s3_server",
    "s3_settings",
    "service",
    "user",
    "versioned_s3",
    "workplace",
]

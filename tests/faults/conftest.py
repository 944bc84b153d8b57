"""Real servers for tests that hurt them."""

from collections.abc import Callable

import pytest

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


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Writes a line of figures where whoever runs the tests sees it."""
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    capture = pytestconfig.pluginmanager.get_plugin("capturemanager")

    def line(text: str) -> None:
        if reporter is not None and capture is not None:
            # What a test that passes has printed is thrown away.
            with capture.global_and_fixture_disabled():
                reporter.write_line(f"    {text}")

    return line

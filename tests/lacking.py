"""What a machine may lack: tests that need it are skipped there; CI, which installs all, fails."""

import os
from typing import Final, NoReturn

import pytest

ALL_REQUIRED: Final = "DOCSHARD_REQUIRE_ALL" in os.environ
"""Whether nothing may be skipped."""


def lacking(what: str) -> NoReturn:
    """End the test, or the file of tests, that cannot be run here; `what` is not there."""
    if ALL_REQUIRED:
        pytest.fail(f"{what}: .ci/run installs it")
    pytest.skip(what, allow_module_level=True)

"""Load tests reach the product by its command: what it writes, and how it fails."""

import pytest

from loadtests.programs import CommandFailed, docshard


def test_what_a_command_writes_is_told() -> None:
    assert docshard("load", "run", "--list").startswith("audit ")


def test_a_command_that_fails_tells_why() -> None:
    with pytest.raises(CommandFailed, match=r"(?s)docshard no-such-command: .*no-such-command"):
        docshard("no-such-command")


def test_a_command_is_not_waited_for_without_end() -> None:
    with pytest.raises(CommandFailed, match="took longer than 0 s"):
        docshard("--help", seconds=0.0)

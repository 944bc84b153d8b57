"""A disk that refuses what a command writes is told in words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from deploy.cli.folders import writing_into
from deploy.cli.main import run
from deploy.errors import OperatorError


def test_a_folder_that_cannot_be_made_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "log"
    assert run(["audit", "export", "--global", "--into", str(folder)]) == 1
    told = capsys.readouterr().err
    assert f"{folder} cannot be written: Not a directory." in told
    assert "Make room" in told


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(OperatorError, match=f"{tmp_path} cannot be written: No space left"),
        writing_into(tmp_path, "Make room."),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_has_nothing_to_do_with_it_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), writing_into(tmp_path / "here", "Make room."):
        (tmp_path / "there").read_bytes()

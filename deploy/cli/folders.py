"""Folders that a command writes into."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from deploy.errors import OperatorError

Command = TypeVar("Command", bound=Callable[..., Any])

_OF_DISKS: Final = frozenset((errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC))
"""What a write is refused with, which does not tell the file's name."""
GOES_ON: Final = "Make room, and run it again: it goes on. Or name another folder."
"""What to do about an export."""


def into_option(what: str, *, required: bool = True) -> Callable[[Command], Command]:
    """Add `--into FOLDER`; `what` says which folder it may be."""
    return click.option("--into", type=_folder(), required=required, help=what)


def beside_option(what: str) -> Callable[[Command], Command]:
    """Add `--beside FOLDER` as the argument `named`: where servers are restored for a while."""
    return click.option("--beside", "named", type=_folder(), help=what)


@contextmanager
def writing_into(folder: Path, advice: str) -> Iterator[None]:
    """Tell in words that the disk refuses what is written there.

    Raises:
        OperatorError.
    """
    try:
        yield
    except OSError as error:
        if not _concerns(error, folder):
            raise
        raise OperatorError(
            f"{error.filename or folder} cannot be written: {error.strerror}.",
            "What stands there is not finished, and proves nothing.",
            advice,
        ) from error


def _folder() -> click.Path[Path]:
    return click.Path(path_type=Path, file_okay=False)


def _concerns(error: OSError, folder: Path) -> bool:
    if error.filename is None:
        return error.errno in _OF_DISKS
    named = Path(error.filename)
    return named.is_relative_to(folder) or folder.is_relative_to(named)

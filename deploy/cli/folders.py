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


def into_option(what: str) -> Callable[[Command], Command]:
    """Add `--into FOLDER`, which must be named; `what` says which folder it may be."""
    return click.option(
        "--into", type=click.Path(path_type=Path, file_okay=False), required=True, help=what
    )


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


def _concerns(error: OSError, folder: Path) -> bool:
    if error.filename is None:
        return error.errno in _OF_DISKS
    named = Path(error.filename)
    return named.is_relative_to(folder) or folder.is_relative_to(named)

"""The folder in which the workers of one router tell each other what they counted."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

_PREFIX = "docshard-figures-"


@contextmanager
def figures_folder(parent: Path) -> Iterator[Path]:
    """A folder below `parent` for as long as the block runs. Those whose routers were killed are
    removed first: nobody else would.

    Who uses a folder holds a lock (flock) on it, the router and, by the fork, its workers. However
    they end, the kernel lets go of it with the last of them.
    """
    _remove_orphans(parent)
    folder, lock = _made(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _made(parent: Path) -> tuple[Path, int]:
    while True:
        folder = Path(mkdtemp(prefix=_PREFIX, dir=parent))
        # Until it is locked another router that starts may take it for an orphan: then it holds
        # the lock, or has removed the folder.
        with contextlib.suppress(FileNotFoundError):
            lock = _opened(folder)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _remove_orphans(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        # Other users' cannot be opened, and are left alone.
        with contextlib.suppress(OSError):
            lock = _opened(folder)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)

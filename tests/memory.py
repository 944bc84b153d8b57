"""Where the data of tests' servers lies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import psutil

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - asked for room, and folders are made in it
_ROOM_BYTES: Final = 6 * 1024**3


def roomy_memory() -> Path | None:
    """Tests copy data folders all the time: in memory that takes a tenth of the processor's time.

    None, for where temporary files are, when there is little of it, when TMPDIR says where to go,
    and where no program may run: one that its user cannot reach elsewhere is copied there.
    """
    if "TMPDIR" in os.environ or not _MEMORY.is_dir():
        return None
    if os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        return None
    free = min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available)
    return _MEMORY if free > _ROOM_BYTES else None

"""How much room the disks of shards have, as far as this machine can tell.

PostgreSQL tells nobody how much is free. A worker beside the servers can look itself; elsewhere it
is not known, and whoever watches the disks is the only one who refuses.
"""

from __future__ import annotations

import shutil
from pathlib import Path


def free_bytes(folder: Path | None, node: str) -> int | None:
    """Free bytes for the server that keeps its data in `folder` under its node's name; None when it
    is not there, or there is no such folder."""
    if folder is None:
        return None
    try:
        return shutil.disk_usage(folder / node).free
    except OSError:
        return None

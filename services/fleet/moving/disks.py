"""How much room the disks of shards have, as far as this machine can tell.

PostgreSQL tells nobody how much is free. A worker beside the servers can look itself; elsewhere it
is not known, and whoever watches the disks is the only one who refuses.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from global_db.cluster import Cluster


def free_bytes(folder: Path | None, cluster: Cluster) -> int | None:
    """Free bytes on the smallest disk of the cluster's servers that keep their data in `folder`,
    each under its node's name; None when none of them does, or there is no such folder."""
    if folder is None:
        return None
    found = [_free(folder / node.name) for node in cluster.addresses]
    return min((free for free in found if free is not None), default=None)


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None

"""What a promotion would keep: whether every standby has a commit on disk."""

from __future__ import annotations

from global_db.cluster import Cluster


async def await_flushed(cluster: Cluster, lsn: int, seconds: float) -> None:
    """Wait until every catalogued standby has flushed the WAL up to `lsn` (bytes).

    Raises:
        Unready: one does not answer or does not stream, at once; or not within `seconds`.
        ClusterError: there is no primary.
    """
    raise NotImplementedError

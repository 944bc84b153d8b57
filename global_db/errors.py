"""What can go wrong between us and one PostgreSQL cluster, told apart by what to do next."""

from __future__ import annotations


class ClusterError(Exception):
    """A cluster could not do what was asked of it; `cluster` names which one."""

    def __init__(self, cluster: str, detail: str) -> None:
        super().__init__(f"{cluster}: {detail}")
        self.cluster = cluster
        self.detail = detail


class ClusterUnavailable(ClusterError):
    """No node of the cluster could be reached in time. Nothing was committed: try again later."""


class ConnectionLost(ClusterUnavailable):
    """A connection failed before COMMIT was sent. Nothing was committed: a second try may work."""


class PoolExhausted(ClusterUnavailable):
    """Every connection is in use and the queue is full or too slow. Nothing was sent."""


class DiskFull(ClusterError):
    """The server has no room for what this needs. Rolled back; what needs none goes on."""


class OutcomeUnknown(ClusterError):
    """The connection died after COMMIT was sent: the transaction may or may not have committed."""


class LockNotAvailable(ClusterError):
    """Another transaction holds what this one needs for longer than lock_timeout. Rolled back."""


class StatementTimeout(ClusterError):
    """A statement ran longer than statement_timeout. Rolled back."""


class WriteLost(ClusterError):
    """The commit that a read asks for was lost in a failover: no server has it, none ever will."""

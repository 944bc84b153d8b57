"""From what a database says to what the domain says.

The layers below tell apart what a program may do next; callers are told what it means for them.
Names of shards go to the log and never into a message for tenants.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from typing import Final

from global_db import errors as cluster_errors
from global_db.idempotency import KeyInProgress
from services import errors
from shards.placement import UnknownClient
from shards.registry import ShardBehind, UnknownShard
from shards.rooms import NoRoom
from shards.tenants import TenantMisplaced, TenantMoving

_log = logging.getLogger(__name__)


class _Failures:
    """Around work: what a database says is raised again as what it means.

    A class and no generator: every request enters it, and only who failed needs more of it.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if error is not None and (meaning := self._meaning(error)) is not None:
            raise meaning from error

    def _meaning(self, error: BaseException) -> errors.ServiceError | None:
        """What the error means; None: nothing that is known here."""
        if isinstance(error, KeyInProgress):
            return errors.IdempotencyInProgress()
        if isinstance(error, cluster_errors.LockNotAvailable):
            return errors.Busy()
        if isinstance(error, cluster_errors.PoolExhausted):
            return errors.Overloaded()
        for kind, meaning in _LOGGED:
            if isinstance(error, kind):
                _log.warning("%s", error)
                return meaning()
        if isinstance(error, cluster_errors.ClusterUnavailable | cluster_errors.StatementTimeout):
            _log.warning("%s", error)
            return self._away(error.cluster)
        return None

    def _away(self, cluster: str) -> errors.ServiceError:
        """What it means that this cluster does not answer."""
        return errors.DirectoryUnavailable()


_LOGGED: Final[tuple[tuple[type[Exception], type[errors.ServiceError]], ...]] = (
    (cluster_errors.WriteLost, errors.WriteLost),
    (cluster_errors.OutcomeUnknown, errors.OutcomeUnknown),
    (cluster_errors.DiskFull, errors.DatabaseFull),
)


class _TenantFailures(_Failures):
    def _meaning(self, error: BaseException) -> errors.ServiceError | None:
        if isinstance(error, UnknownClient):
            return errors.NotFound()
        if isinstance(error, NoRoom):
            return errors.QuotaExceeded(error.kind, error.limit)
        if isinstance(error, TenantMoving | TenantMisplaced):
            _log.warning("%s", error)
            return errors.TenantMoving()
        if isinstance(error, ShardBehind):
            _log.warning("%s", error)
            return errors.ShardBehind()
        if isinstance(error, UnknownShard):
            _log.warning("the catalog has no %s yet", error)
            return errors.ShardUnavailable()
        return super()._meaning(error)

    def _away(self, cluster: str) -> errors.ServiceError:
        return errors.DirectoryUnavailable() if cluster == "global" else errors.ShardUnavailable()


_GLOBAL: Final = _Failures()
_TENANT: Final = _TenantFailures()


def global_failures() -> AbstractContextManager[None]:
    """Around work in the global database.

    Raises:
        DirectoryUnavailable, DatabaseFull, Overloaded, OutcomeUnknown, Busy,
        IdempotencyInProgress.
    """
    return _GLOBAL


def tenant_failures() -> AbstractContextManager[None]:
    """Around work inside a tenant.

    Raises:
        NotFound, ShardUnavailable, ShardBehind, TenantMoving, DatabaseFull, Overloaded,
        QuotaExceeded, OutcomeUnknown, Busy, IdempotencyInProgress; DirectoryUnavailable when the
        placement could not be asked.
    """
    return _TENANT

"""From what a database says to what the domain says.

The layers below tell apart what a program may do next; callers are told what it means for them.
Names of shards go to the log and never into a message for tenants.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from global_db import errors as cluster_errors
from global_db.idempotency import KeyInProgress
from services import errors
from shards.placement import UnknownClient
from shards.registry import ShardBehind, UnknownShard
from shards.rooms import NoRoom
from shards.tenants import TenantMisplaced, TenantMoving

_log = logging.getLogger(__name__)


@contextmanager
def global_failures() -> Iterator[None]:
    """Around work in the global database.

    Raises:
        DirectoryUnavailable, DatabaseFull, Overloaded, OutcomeUnknown, Busy,
        IdempotencyInProgress.
    """
    with _common():
        try:
            yield
        except cluster_errors.PoolExhausted as error:
            raise errors.Overloaded from error
        except (cluster_errors.ClusterUnavailable, cluster_errors.StatementTimeout) as error:
            _log.warning("%s", error)
            raise errors.DirectoryUnavailable from error


@contextmanager
def tenant_failures() -> Iterator[None]:
    """Around work inside a tenant.

    Raises:
        NotFound, ShardUnavailable, ShardBehind, TenantMoving, DatabaseFull, Overloaded,
        QuotaExceeded, OutcomeUnknown, Busy, IdempotencyInProgress; DirectoryUnavailable when the
        placement could not be asked.
    """
    with _common():
        try:
            yield
        except UnknownClient as error:
            raise errors.NotFound from error
        except NoRoom as error:
            raise errors.QuotaExceeded(error.kind, error.limit) from error
        except (TenantMoving, TenantMisplaced) as error:
            _log.warning("%s", error)
            raise errors.TenantMoving from error
        except ShardBehind as error:
            _log.warning("%s", error)
            raise errors.ShardBehind from error
        except UnknownShard as error:
            _log.warning("the catalog has no %s yet", error)
            raise errors.ShardUnavailable from error
        except cluster_errors.PoolExhausted as error:
            raise errors.Overloaded from error
        except (cluster_errors.ClusterUnavailable, cluster_errors.StatementTimeout) as error:
            _log.warning("%s", error)
            if error.cluster == "global":
                raise errors.DirectoryUnavailable from error
            raise errors.ShardUnavailable from error


@contextmanager
def _common() -> Iterator[None]:
    try:
        yield
    except KeyInProgress as error:
        raise errors.IdempotencyInProgress from error
    except cluster_errors.WriteLost as error:
        _log.warning("%s", error)
        raise errors.WriteLost from error
    except cluster_errors.OutcomeUnknown as error:
        _log.warning("%s", error)
        raise errors.OutcomeUnknown from error
    except cluster_errors.DiskFull as error:
        _log.warning("%s", error)
        raise errors.DatabaseFull from error
    except cluster_errors.LockNotAvailable as error:
        raise errors.Busy from error

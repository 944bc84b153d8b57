"""Outages: what is asked is all right, and something that it needs is not."""

from services.errors.base import ServiceError, TemporaryError


class ShardUnavailable(TemporaryError):
    """The database that holds this client does not answer at present; others are not concerned."""

    code = "shard_unavailable"
    title = "The client's database is not available"
    default_retry_after_seconds = 5


class DatabaseFull(TemporaryError):
    """The database has no room for this; nothing was changed, and what needs no room, as reading,
    goes on. Repeat it later: operators have to make room first."""

    code = "database_full"
    title = "The database is full"
    default_retry_after_seconds = 30


class ShardBehind(TemporaryError):
    """The database that holds this client waits for a schema migration."""

    code = "shard_behind"
    title = "The client's database awaits a migration"
    default_retry_after_seconds = 30


class TenantMoving(TemporaryError):
    """The client is at the switch of a move and it took longer than a request waits."""

    code = "tenant_moving"
    title = "The client is being moved"
    default_retry_after_seconds = 1


class DirectoryUnavailable(TemporaryError):
    """The global database does not answer, and what is needed of it is not cached."""

    code = "directory_unavailable"
    title = "The directory is not available"
    default_retry_after_seconds = 5


class StorageUnavailable(TemporaryError):
    """The object store does not answer, or refuses to work."""

    code = "storage_unavailable"
    title = "The object store is not available"
    default_retry_after_seconds = 5


class KeysUnavailable(TemporaryError):
    """A key that is needed cannot be unwrapped at present: the key provider does not answer."""

    code = "keys_unavailable"
    title = "A key is not available"
    default_retry_after_seconds = 5


class Overloaded(TemporaryError):
    """More work waits than can be done in time; this request was refused at once instead."""

    code = "overloaded"
    title = "The service is overloaded"
    default_retry_after_seconds = 1


class OutcomeUnknown(TemporaryError):
    """The connection broke while committing: repeat with the same Idempotency-Key to find out."""

    code = "outcome_unknown"
    title = "It is not known whether the change was made"


class InternalError(ServiceError):
    """A fault of ours; the log has it under the request's id."""

    code = "internal"
    title = "Internal error"

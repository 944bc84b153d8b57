"""Failed logins since the last success, by account and by address; all workers count together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from global_db.connection import WriteConnection
from global_db.session_tables import login_failures
from global_db.statement import write


class Kind(StrEnum):
    """What is counted."""

    ACCOUNT = "account"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Counted:
    """A counter: 32 bytes name the account (whether it exists or not) or the network."""

    kind: Kind
    subject_hash: bytes


@dataclass(frozen=True, slots=True)
class Failures:
    """How many, when the last one was, and the time now: both by the database's clock."""

    failures: int
    failed_at: datetime
    now: datetime


_OWN = (
    login_failures.c.kind == sa.bindparam("own_kind"),
    login_failures.c.subject_hash == sa.bindparam("own_hash"),
)
_NOW = sa.func.clock_timestamp()
_INSERT = insert(login_failures).values(
    kind=sa.bindparam("own_kind"), subject_hash=sa.bindparam("own_hash"), failures=0, failed_at=_NOW
)
_CLAIM = write(
    _INSERT.on_conflict_do_update(
        index_elements=[login_failures.c.kind, login_failures.c.subject_hash],
        set_={"failures": login_failures.c.failures},
    ).returning(login_failures.c.failures, login_failures.c.failed_at, _NOW.label("now"))
)
_COUNT = write(
    sa.update(login_failures)
    .where(*_OWN)
    .values(failures=sa.bindparam("number", type_=sa.Integer), failed_at=_NOW)
)
_FORGIVE = write(
    sa.update(login_failures)
    .where(*_OWN)
    .values(failures=sa.func.greatest(login_failures.c.failures - 1, 0))
)
_RESET = write(sa.delete(login_failures).where(*_OWN))
_FORGET = write(
    sa.delete(login_failures)
    .where(login_failures.c.failed_at < sa.func.now() - sa.bindparam("idle", type_=sa.Interval))
    .returning(login_failures.c.kind)
)


async def claim(connection: WriteConnection, counted: Counted) -> Failures:
    """The failures so far, held until the transaction ends."""
    row = await connection.returning(_CLAIM, **_own(counted))
    if row is None:
        raise LookupError(counted.kind)
    return Failures(**row)


async def count(connection: WriteConnection, counted: Counted, failures: int) -> None:
    """Write down that there are so many failures, the last one now."""
    await connection.send(_COUNT, **_own(counted), number=failures)


async def forgive(connection: WriteConnection, counted: Counted) -> None:
    """Take one failure back."""
    await connection.send(_FORGIVE, **_own(counted))


async def reset(connection: WriteConnection, counted: Counted) -> None:
    """Forget every failure."""
    await connection.send(_RESET, **_own(counted))


async def remove_old(connection: WriteConnection, idle: timedelta) -> int:
    """Forget counters that nothing was added to for so long."""
    return len(await connection.changed(_FORGET, idle=idle))


def _own(counted: Counted) -> dict[str, object]:
    return {"own_kind": counted.kind.value, "own_hash": counted.subject_hash}

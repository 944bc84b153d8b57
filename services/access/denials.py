"""Who was refused what: counted in memory, written to the global audit log a little later.

A refusal must cost next to nothing, or asking for what is forbidden would be a way to slow the
service down. So equal refusals are one count, kinds of refusals are bounded, and rows are written
off the request's path. A process that dies loses the counts of one interval.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.audit import Event, record_global
from services.errors import ServiceError
from services.failures import global_failures
from services.identity.principal import Caller
from services.repeating import repeating
from services.resources import Data

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Denial:
    """What was refused: the operation as method and path template, the permission that it needs,
    and the code of the refusal; never anything of the request's body."""

    operation: str
    permission: str
    code: str
    client_id: UUID | None = None


@dataclass(slots=True)
class Count:
    """How often one principal met one denial in an interval; the caller is the last one."""

    caller: Caller
    denial: Denial
    first_at: datetime
    last_at: datetime
    times: int = 1

    def event(self) -> Event:
        """The audit log's row."""
        principal = self.caller.principal
        after: dict[str, Any] = {
            "operation": self.denial.operation,
            "permission": self.denial.permission,
            "code": self.denial.code,
            "times": self.times,
            "first_at": self.first_at,
            "last_at": self.last_at,
        }
        kind = "user" if principal.api_key_id is None else "api_key"
        return Event("auth.denied", kind, principal.id, None, after)


class Denials:
    """The counts of one process since they were last written. Never more than `max_kinds`: of what
    comes on top only the number is known."""

    def __init__(self, max_kinds: int, clock: Callable[[], datetime] | None = None) -> None:
        self._max_kinds = max_kinds
        self._clock = clock or (lambda: datetime.now(UTC))
        self._counts: dict[tuple[UUID, Denial], Count] = {}
        self.uncounted = 0

    def note(self, caller: Caller, denial: Denial) -> None:
        """Count a refusal."""
        now, key = self._clock(), (caller.principal.id, denial)
        count = self._counts.get(key)
        if count is not None:
            count.caller, count.last_at = caller, now
            count.times += 1
        elif len(self._counts) < self._max_kinds:
            self._counts[key] = Count(caller, denial, now, now)
        else:
            self.uncounted += 1

    def take(self) -> list[Count]:
        """All counts; counting begins anew."""
        taken, self._counts = list(self._counts.values()), {}
        if self.uncounted:
            _log.warning("%d denials of further kinds were not recorded", self.uncounted)
            self.uncounted = 0
        return taken

    async def write(self, data: Data) -> None:
        """Write what was counted, in one transaction.

        Raises:
            DirectoryUnavailable, Busy, OutcomeUnknown: the counts are lost.
        """
        counts = self.take()
        if not counts:
            return
        with global_failures():
            async with data.global_db.write() as connection:
                for count in counts:
                    client_id = count.denial.client_id
                    await record_global(connection, count.caller, count.event(), client_id)


@asynccontextmanager
async def recording(data: Data, denials: Denials, every_seconds: float) -> AsyncIterator[None]:
    """Write the counts again and again while the block lasts, and once more in the end."""

    async def write() -> None:
        try:
            await denials.write(data)
        except ServiceError as error:
            _log.warning("denials of the last %g s are lost: %s", every_seconds, error)

    async with repeating(write, "denials are not recorded", every_seconds):
        yield

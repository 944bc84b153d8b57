"""How often each tenant was read and written by this process since it was last told. Pure.

Counting is on the path of every request: one look-up in a dict and one addition. Memory is bounded
(I9): of more tenants than the bound those with most requests stay, of the others only the number of
requests is known. Who matters for balance has many.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import nlargest
from uuid import UUID

MOST_TENANTS = 20_000
"""Of each kind. Told every ten seconds, a process that serves 2,000 requests a second never has
more; it is about 3 MB."""


@dataclass(slots=True)
class _Counts:
    """Requests of one kind."""

    most: int
    by_tenant: dict[UUID, int] = field(default_factory=dict)
    folded: int = 0

    def note(self, client_id: UUID) -> None:
        seen = self.by_tenant.get(client_id, 0)
        self.by_tenant[client_id] = seen + 1
        if not seen and len(self.by_tenant) > self.most:
            self._fold()

    def _fold(self) -> None:
        """Keep the upper half, so that the next time is far."""
        before = sum(self.by_tenant.values())
        kept = nlargest(self.most // 2, self.by_tenant.items(), key=lambda entry: entry[1])
        self.by_tenant = dict(kept)
        self.folded += before - sum(self.by_tenant.values())


@dataclass(frozen=True, slots=True)
class Taken:
    """What was counted: by tenant, and requests of tenants that are not told apart."""

    reads: dict[UUID, int]
    writes: dict[UUID, int]
    folded: int


class Traffic:
    """The counts of one process."""

    def __init__(self, most_tenants: int = MOST_TENANTS) -> None:
        self._most = most_tenants
        self._reads, self._writes = _Counts(most_tenants), _Counts(most_tenants)

    def note_read(self, client_id: UUID) -> None:
        """Count a read that was answered."""
        self._reads.note(client_id)

    def note_write(self, client_id: UUID) -> None:
        """Count a write that was committed."""
        self._writes.note(client_id)

    def take(self) -> Taken:
        """All counts; counting begins anew."""
        reads, writes = self._reads, self._writes
        self._reads, self._writes = _Counts(self._most), _Counts(self._most)
        return Taken(reads.by_tenant, writes.by_tenant, reads.folded + writes.folded)

"""What one server was found to show, and for how long that is known. Pure.

Replay never goes back while a server lives: what it showed once, every later snapshot of that life
shows, through a promotion, too. After a restart, a crash or a rewind it may show less, and that is
another life. A backend does not outlive its server, so a statement that runs in the life of the
proof and began behind it sees what was proven.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

_MOST_SUBJECTS = 10_000


@dataclass(frozen=True, slots=True)
class Demand:
    """A server must stand on `timeline`, at `lsn` or behind it."""

    timeline: int
    lsn: int
    patience_ms: int = 0


@dataclass(slots=True)
class Proofs:
    """The farthest place that a server has proven in its present life, and who entered there.

    A subject is whom a read enters, None where it enters nobody. Bounded: who was not asked for
    longest is forgotten, and proven again.
    """

    life: int | None = None
    timeline: int | None = None
    lsn: int = 0
    _subjects: OrderedDict[Hashable, None] = field(default_factory=OrderedDict)

    def reached(self, life: int | None, timeline: int | None, lsn: int) -> None:
        """The server said in an answer, or showed by not refusing, that it stands there."""
        if life != self.life:
            self._subjects.clear()
        if (life, timeline) != (self.life, self.timeline):
            self.life, self.timeline, self.lsn = life, timeline, lsn
        self.lsn = max(self.lsn, lsn)

    def entered(self, life: int, demand: Demand, subject: Hashable) -> None:
        """The server did not refuse the demand, nor the subject, in a statement that is over."""
        self.reached(life, demand.timeline, demand.lsn)
        self._subjects[subject] = None
        if len(self._subjects) > _MOST_SUBJECTS:
            self._subjects.popitem(last=False)

    def life_of(self, demand: Demand, subject: Hashable) -> int | None:
        """The life in which all of it was proven already; None when it was not."""
        if demand.timeline != self.timeline or demand.lsn > self.lsn:
            return None
        if subject not in self._subjects:
            return None
        self._subjects.move_to_end(subject)
        return self.life

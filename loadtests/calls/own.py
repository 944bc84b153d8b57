"""Documents that the run itself made: who has one may write to it, nobody else does meanwhile."""

from collections import deque
from dataclasses import dataclass, field

from loadtests.ledger import Entry


@dataclass(slots=True)
class Own:
    """A document of the run's; empty `etag` and `token` are not known."""

    entry: Entry
    document_id: str
    etag: str = ""
    token: str = ""

    def forget(self) -> None:
        """A write's end is not known, so nothing is demanded of the next read."""
        self.etag = self.token = ""


@dataclass
class Books:
    """All writes of a generator, and the documents that can be written to, by tenant."""

    run_id: str
    entries: list[Entry] = field(default_factory=list)
    _free: dict[int, deque[Own]] = field(default_factory=dict)

    def open(self, tenant: int, mark: str) -> Entry:
        """A document is about to be made: written down before it is, so none is forgotten."""
        self.entries.append(Entry(tenant=tenant, mark=mark))
        return self.entries[-1]

    def take(self, tenant: int) -> Own | None:
        """The document that rested longest; nobody else gets it until it is given back."""
        free = self._free.get(tenant)
        return free.popleft() if free else None

    def give_back(self, tenant: int, own: Own) -> None:
        """Others may write to it."""
        self._free.setdefault(tenant, deque()).append(own)

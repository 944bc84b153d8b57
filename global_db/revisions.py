"""The revisions of a schema's history, by the names of their files.

Every process asks which one a shard needs. Only who migrates needs Alembic, which is in
`global_db.migration`: it takes a tenth of a second to import, and megabytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Revisions:
    """The revisions in `versions/` of a folder: each file's name begins with its revision's number.

    Alembic orders them by what each says of the one before; a test compares the two.
    """

    folder: Path

    @cached_property
    def _order(self) -> dict[str, int]:
        files = sorted(path.stem for path in (self.folder / "versions").glob("[0-9]*.py"))
        return {name.partition("_")[0]: place for place, name in enumerate(files)}

    @property
    def head(self) -> str:
        """The newest revision this code knows."""
        if not self._order:
            raise LookupError(f"no revisions in {self.folder}")
        return self.revisions()[-1]

    def revisions(self) -> list[str]:
        """Every revision, oldest first."""
        return list(self._order)

    def pending(self, current: str | None) -> list[str]:
        """The revisions a database at `current` still needs, oldest first.

        A revision this code does not know is newer than the code: nothing is pending.
        """
        known = self.revisions()
        if current is None:
            return known
        return known[known.index(current) + 1 :] if current in known else []

    def is_behind(self, current: str | None, needed: str) -> bool:
        """Whether a database at `current` is older than `needed`.

        Asked on every request, so it compares what was read from disk once.
        """
        order = self._order
        return current is None or (current in order and order[current] < order[needed])

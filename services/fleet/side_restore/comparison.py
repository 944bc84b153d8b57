"""A tenant of then beside the tenant of now: row by row, in the memory of two pages.

What comes back is put into files of a folder of its own, so that a tenant who has lost everything
is no matter of memory.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

from services.errors import Conflict
from services.fleet.portability.reach import QUIET, Progress, Reach, home_snapshot
from services.fleet.side_restore.judgement import Key, Line, Wish, key_of, side_by_side, wishes
from services.fleet.side_restore.past import Past, past_snapshot
from shards.returning import ORDER, TABLES, TenantTable
from shards.row_export import RowSnapshot

_CHANGED: Final = "changed"
_IMMUTABLE: Final = frozenset({"document_versions", "audit_logs", "audit_chain"})
_MOST_TOLD: Final = 100


@dataclass(slots=True)
class Counted:
    """A table: rows of then and now, those that are missing now, changed since, or newer."""

    table: str
    then: int = 0
    now: int = 0
    missing: int = 0
    changed: int = 0
    newer: int = 0


@dataclass(slots=True)
class Comparison:
    """What was found; `folder` holds rows that are missing and documents that have changed.

    `documents`: how many of those that are there have something to bring back, by what it is.
    `torn`: rows that never change and are others now: nothing is put over them.
    """

    shard: str
    epoch: int
    folder: Path
    tables: list[Counted] = field(default_factory=list)
    documents: dict[Wish, int] = field(default_factory=lambda: dict.fromkeys(Wish, 0))
    torn: list[str] = field(default_factory=list)

    def missing(self, table: str) -> Iterator[Line]:
        """Rows that are missing now, by key."""
        return _lines(self.folder / f"{table}.jsonl")

    def changed(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Documents that have something to bring back, as they were and as they are."""
        for line in _lines(self.folder / f"{_CHANGED}.jsonl"):
            pair = json.loads(line)
            yield pair["then"], pair["now"]

    @property
    def chain_is_torn(self) -> bool:
        """Whether links of then are others now."""
        return any(one.startswith("audit_chain") for one in self.torn)


async def compare(
    reach: Reach, past: Past, client_id: UUID, folder: Path, progress: Progress = QUIET
) -> Comparison:
    """Compare all tenant tables.

    Raises:
        Conflict: the tenant did not live there then, or the backup is of another schema; NotFound,
        TenantMoving, ShardUnavailable, DirectoryUnavailable.
    """
    async with (
        past_snapshot(past, client_id) as then,
        home_snapshot(reach, client_id) as (shard, now),
    ):
        if then.revision != now.revision:
            raise Conflict(
                f"The backup is of schema {then.revision}, and the shard of {now.revision}: "
                "migrate the fleet first, `docshard migrate up`."
            )
        found = Comparison(shard, now.epoch, folder)
        for table in TABLES:
            counted = await _Table(found, table, then, now).compare()
            found.tables.append(counted)
            progress.step(f"{table.name}: {counted.missing} missing, {counted.changed} changed")
    return found


@dataclass(frozen=True, slots=True)
class _Table:
    found: Comparison
    table: TenantTable
    then: RowSnapshot
    now: RowSnapshot

    async def compare(self) -> Counted:
        counted = Counted(str(self.table.name))
        with ExitStack() as stack:
            missing = _file(stack, self.found.folder, counted.table)
            changed = None
            if counted.table == "documents":
                changed = _file(stack, self.found.folder, _CHANGED)
            async for old, new in side_by_side(self._keyed(self.then), self._keyed(self.now)):
                counted.then += old is not None
                counted.now += new is not None
                if old is None:
                    counted.newer += 1
                elif new is None:
                    counted.missing += 1
                    missing.write(f"{old}\n".encode())
                elif old != new:
                    counted.changed += 1
                    self._judge(old, new, changed)
        return counted

    async def _keyed(self, snapshot: RowSnapshot) -> AsyncIterator[tuple[Key, Line]]:
        async for lines in snapshot.lines(self.table):
            for line in lines:
                yield key_of(json.loads(line), self.table.key), line

    def _judge(self, old: Line, new: Line, changed: BinaryIO | None) -> None:
        if changed is not None:
            wished = wishes(json.loads(old), json.loads(new))
            for one in wished:
                self.found.documents[one] += 1
            if wished:
                changed.write(f'{{"then":{old},"now":{new}}}\n'.encode())
        elif self.table.name in _IMMUTABLE and len(self.found.torn) < _MOST_TOLD:
            key = " ".join(str(json.loads(old)[one.name]) for one in self.table.key)
            self.found.torn.append(f"{self.table.name} {key} is not what it was")


def _file(stack: ExitStack, folder: Path, name: str) -> BinaryIO:
    return stack.enter_context((folder / f"{name}.jsonl").open("wb"))


def _lines(path: Path) -> Iterator[Line]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield line.rstrip("\n")


__all__ = ["ORDER", "Comparison", "Counted", "Wish", "compare"]

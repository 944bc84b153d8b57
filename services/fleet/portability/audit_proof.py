"""Whether the audit log in an export is what was written: proven from its files alone.

The chain is walked link by link, up to its end, past every signed head. Rows and links are then
paired: both files are nearly in the order of time, so that what waits for its other half is what
few seconds brought, however long the log is.
"""

from __future__ import annotations

import gzip
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from global_db.audit_heads import Head
from global_db.chain import Link
from services.chain.hashing import RawNumber, content_hash, jsonb_text
from services.chain.walk import Walked, beginning, step
from services.fleet.audit_lines import Reader
from services.fleet.portability.layout import TABLES, blob_file, hexadecimal
from services.fleet.portability.rows import lines_of

_PROVEN_APART: Final = type("_Every", (), {"__contains__": lambda *_: True})()
"""For the walk all months are archived: rows are paired with their links afterwards."""


class _Half(NamedTuple):
    """A link or a row, by time; `seq` None: a row, or what still waits for its link."""

    at: datetime
    audit_id: UUID
    content_hash: bytes
    seq: int | None
    is_row: bool


@dataclass(slots=True)
class AuditProof:
    """What was found: the chain's end, the rows that were proven, and what is wrong."""

    seq: int = 0
    chain_hash: bytes = b""
    rows: int = 0
    faults: list[str] = field(default_factory=list)


def prove(folder: Path, client_id: UUID, heads: Mapping[int, Head]) -> AuditProof:
    """Walk the chain and pair it with the rows; heads by seq, proven to be genuine before."""
    walked, proof = beginning(client_id), AuditProof()
    for link in _links(folder):
        walked, found = step(walked, link, heads, _PROVEN_APART)
        proof.faults += [f"audit chain at seq {one.seq}: {one.fault.value}" for one in found]
    proof.seq, proof.chain_hash = walked.seq, walked.chain_hash
    proof.faults += _beyond(walked, heads)
    _pair(folder, proof)
    return proof


def _beyond(walked: Walked, heads: Mapping[int, Head]) -> Iterator[str]:
    if heads and max(heads) > walked.seq:
        yield f"audit chain at seq {walked.seq + 1}: truncated"


def _pair(folder: Path, proof: AuditProof) -> None:
    waiting: dict[UUID, _Half] = {}
    halves: list[Iterable[_Half]] = [_linked(folder), _queued(folder), _rows(folder)]
    halves += [_archived(path) for path in _archives(folder)]
    for half in heapq.merge(*halves, key=lambda one: one.at):
        other = waiting.pop(half.audit_id, None)
        if other is None:
            waiting[half.audit_id] = half
        elif other.is_row == half.is_row:
            proof.faults.append(f"audit row {half.audit_id} is there twice")
        elif other.content_hash != half.content_hash:
            proof.faults.append(f"audit row {half.audit_id} is not what was linked")
        else:
            proof.rows += 1
    for half in waiting.values():
        what = "neither linked nor queued" if half.is_row else f"missing (link {half.seq})"
        proof.faults.append(f"audit row {half.audit_id} is {what}")


def _links(folder: Path) -> Iterator[Link]:
    for row in lines_of(folder, "audit_chain"):
        yield Link(
            row["seq"],
            UUID(row["audit_id"]),
            datetime.fromisoformat(row["audit_created_at"]),
            bytes.fromhex(hexadecimal(row["content_hash"])),
            bytes.fromhex(hexadecimal(row["chain_hash"])),
            None,
        )


def _linked(folder: Path) -> Iterator[_Half]:
    for link in _links(folder):
        yield _Half(link.audit_created_at, link.audit_id, link.content_hash, link.seq, False)


def _queued(folder: Path) -> Iterator[_Half]:
    for row in lines_of(folder, "audit_pending"):
        at = datetime.fromisoformat(row["audit_created_at"])
        digest = bytes.fromhex(hexadecimal(row["content_hash"]))
        yield _Half(at, UUID(row["audit_id"]), digest, None, False)


def _rows(folder: Path) -> Iterator[_Half]:
    with (folder / TABLES / "audit_logs.jsonl").open("rb") as file:
        for line in file:
            # Numbers as they are written: the hash is over their digits.
            row = json.loads(line, parse_float=RawNumber, parse_int=RawNumber)
            at = datetime.fromisoformat(row["created_at"])
            address = row["ip_address"]
            told = {
                **row,
                "changes": jsonb_text(row["changes"]),
                "created_at": at,
                "ip_address": address and address.split("/")[0],
            }
            yield _Half(at, UUID(row["id"]), content_hash(told), None, True)


def _archives(folder: Path) -> Iterator[Path]:
    for row in lines_of(folder, "audit_archives"):
        if row["sha256"] is not None:
            yield folder / blob_file(hexadecimal(row["sha256"]))


def _archived(path: Path) -> Iterator[_Half]:
    """Each row proves itself: `Reader` computes its hash and its link again."""
    reader = Reader()
    with gzip.open(path, "rb") as file:
        for line in file:
            row = reader.read(line)
            if row is not None:
                digest = bytes.fromhex(orjson.loads(line)["content_hash"])
                at = datetime.fromisoformat(row["created_at"])
                yield _Half(at, UUID(row["id"]), digest, None, True)


def begun_archives(folder: Path) -> set[tuple[UUID, date]]:
    """Archives that were begun and not stored when the rows were read, with their months."""
    return {
        (UUID(row["archive_id"]), date.fromisoformat(row["month"]))
        for row in lines_of(folder, "audit_archives")
        if row["stored_at"] is None
    }

"""The lines of an archive, and whether they fit the chain. Pure.

An object is gzip over lines of JSON. The first names the archive; each other one is a row:
`content` is the text that `content_hash` is the SHA-256 of, a JSON array in the order of `fields`
in the first line; `chain_hash` is the SHA-256 of a tag, `previous_hash`, `seq` and `content_hash`.
So each line proves itself, and lines of following numbers each other, without any database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from global_db.archives import ArchivedRow
from services.chain.hashing import GLOBAL_ROW, TENANT_ROW, extend

FORMAT = "docshard-audit-archive-1"


class BrokenRow(Exception):
    """A row that is not what was written, or has no place in the chain; the message says which."""


def first_line(archive_id: UUID, client_id: UUID | None, month: date) -> bytes:
    """What the object is; without client it is of the global log."""
    return _json(
        {
            "format": FORMAT,
            "archive_id": archive_id,
            "client_id": client_id,
            "month": f"{month:%Y-%m}",
            "fields": GLOBAL_ROW if client_id is None else TENANT_ROW,
        }
    )


def line(row: ArchivedRow) -> bytes:
    """A row that fits.

    Raises:
        BrokenRow.
    """
    check(row)
    hashes = {
        name: value.hex()
        for name in ("content_hash", "previous_hash", "chain_hash")
        if (value := getattr(row, name)) is not None
    }
    return _json({"seq": row.seq, **hashes, "content": row.content})


def check(row: ArchivedRow) -> None:
    """Compute again what the row's hashes say.

    Raises:
        BrokenRow.
    """
    if hashlib.sha256(row.content.encode()).digest() != row.content_hash:
        raise BrokenRow(f"row {row.id} of {row.created_at} is not what was written")
    if row.seq is None:
        raise BrokenRow(f"row {row.id} of {row.created_at} is not linked to the chain yet")
    before = row.previous_hash
    if before is None or row.chain_hash != extend(before, row.seq, row.content_hash):
        raise BrokenRow(f"row {row.id} does not fit link {row.seq} of the chain")


@dataclass(slots=True)
class Reader:
    """Reads an unpacked object line by line, and proves each row."""

    fields: Sequence[str] | None = None
    """The columns that the first line names; None before it."""

    def read(self, text: bytes) -> dict[str, Any] | None:
        """The row of the next line, with `fields` in place of `content`; None for the first line.

        Raises:
            BrokenRow.
        """
        told = orjson.loads(text)
        if self.fields is None:
            self.fields = told["fields"]
            return None
        content = orjson.loads(told["content"])
        named = dict(zip(self.fields, content, strict=True))
        row = ArchivedRow(
            id=UUID(named["id"]),
            created_at=content[-1],
            content=told["content"],
            seq=told["seq"],
            **{
                name: bytes.fromhex(told[name])
                for name in ("content_hash", "previous_hash", "chain_hash")
            },
        )
        check(row)
        return {"seq": row.seq, **named}


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)

"""Reading an export's rows, a line at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.fleet.portability.layout import NAMING_BLOBS, TABLES, NamedBlob, named_blob


def lines_of(folder: Path, table: str) -> Iterator[dict[str, Any]]:
    """The rows of an exported table."""
    with (folder / TABLES / f"{table}.jsonl").open("rb") as file:
        for line in file:
            yield json.loads(line)


def named_blobs(folder: Path) -> Iterator[NamedBlob]:
    """Every blob that a row names, as often as one does."""
    for table in NAMING_BLOBS:
        for row in lines_of(folder, table):
            if (blob := named_blob(table, row)) is not None:
                yield blob

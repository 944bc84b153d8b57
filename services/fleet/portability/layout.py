"""What an export is made of: the names of its files and its manifest. Pure.

`format.txt` says it in words; it is put into each export.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

import orjson

FORMAT: Final = "docshard-client-export"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
README: Final = "README.txt"
TABLES: Final = "tables"
DIRECTORY: Final = "directory"
BLOBS: Final = "blobs"

NAMING_BLOBS: Final[Mapping[str, str]] = {
    "document_versions": "checksum_sha256",
    "audit_archives": "sha256",
}
"""Tables whose rows name a blob at `s3_key`, of `size` bytes; the column of its SHA-256."""

NAMING_NONE: Final = frozenset({"documents", "uploads", "purged_blobs"})
"""Tables with an `s3_key` that names no blob of its own: the newest version's, one that is not
there yet, one that was purged."""

_BYTES: Final = re.compile(r"\\x((?:[0-9a-f]{2})*)")


class NotAnExport(Exception):
    """The folder holds no whole export that this program can read; the message says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of lines: `file` is its path in the export, `sha256` hexadecimal, over its bytes."""

    name: str
    file: str
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A link of the audit chain that was vouched for, and the key to prove it; hexadecimal."""

    seq: int
    chain_hash: str
    signed_at: str
    kid: str
    signature: str
    public_key: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export says of itself.

    `client`: the directory's row. `snapshot_at`: the instant of which all rows are.
    """

    client: dict[str, Any]
    exported_at: str
    snapshot_at: str
    shard: str
    epoch: int
    schema_revision: str
    tables: tuple[Part, ...]
    directory: tuple[Part, ...]
    blobs: int
    blob_bytes: int
    audit_seq: int
    heads: tuple[SignedHead, ...]

    @property
    def client_id(self) -> UUID:
        """Whose rows these are."""
        return UUID(self.client["id"])

    @property
    def parts(self) -> Iterator[Part]:
        """All files of lines."""
        yield from self.tables
        yield from self.directory

    @property
    def rows(self) -> int:
        """Rows of all tenant tables."""
        return sum(part.rows for part in self.tables)

    def as_json(self) -> bytes:
        """The file."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest of an export.

        Raises:
            NotAnExport.
        """
        path = folder / MANIFEST
        try:
            told = orjson.loads(path.read_bytes())
            if (told.pop("format"), told.pop("version")) != (FORMAT, VERSION):
                raise NotAnExport(f"{path} is not of format {FORMAT} {VERSION}.")
            lists: dict[str, Any] = {
                "tables": tuple(map(_part, told.pop("tables"))),
                "directory": tuple(map(_part, told.pop("directory"))),
                "heads": tuple(SignedHead(**head) for head in told.pop("heads")),
            }
            manifest = cls(**told, **lists)
            UUID(manifest.client["id"])
        except OSError as error:
            raise NotAnExport(f"{path} cannot be read: the export was not finished.") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotAnExport(f"{path} is garbled: {error!r}") from error
        return manifest


def _part(told: dict[str, Any]) -> Part:
    part = Part(**{**told, "columns": tuple(told["columns"])})
    # Who reads an export reads nothing outside of it.
    if part.file not in (f"{TABLES}/{part.name}.jsonl", f"{DIRECTORY}/{part.name}.jsonl"):
        raise ValueError(f"{part.file} is no file of an export")
    return part


def blob_file(sha256_hex: str) -> str:
    """Where a blob lies in the export."""
    return f"{BLOBS}/{sha256_hex[:2]}/{sha256_hex}"


def owned_prefixes(client_id: UUID) -> tuple[str, str]:
    """How the keys of all objects of a client begin: of contents, and of archived months."""
    return f"{client_id}/", f"audit-archive/{client_id}/"


@dataclass(frozen=True, slots=True)
class NamedBlob:
    """A blob that a row names."""

    s3_key: str
    sha256: str
    size: int
    mime_type: str


def named_blob(table: str, row: Mapping[str, Any]) -> NamedBlob | None:
    """The blob that a row of a table names; an archive that was only begun names none."""
    digest = row.get(NAMING_BLOBS.get(table, ""))
    if digest is None:
        return None
    kind = row.get("mime_type", "application/gzip")
    return NamedBlob(row["s3_key"], hexadecimal(digest), row["size"], kind)


def hexadecimal(exported: str) -> str:
    """Bytes as the export has them, without what tells that they are bytes.

    A blob's file is called by them: who reads an export reads nothing outside of it.
    """
    match = _BYTES.fullmatch(exported)
    if match is None:
        raise ValueError(f"{exported!r} is not bytes in hexadecimal")
    return match[1]

"""Verifying an export offline: every byte by its digest, the audit log by its chain and heads."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

from global_db.audit_heads import Head
from services.chain.heads import is_genuine
from services.fleet.audit_lines import BrokenRow
from services.fleet.portability.audit_proof import AuditProof, prove
from services.fleet.portability.layout import (
    BLOBS,
    MANIFEST,
    Manifest,
    NotAnExport,
    Part,
    SignedHead,
    blob_file,
    named_blob,
    owned_prefixes,
)

__all__ = ["Checked", "NotAnExport", "check", "digest_of"]

_CHUNK: Final = 1 << 20
_AUDIT_TABLES: Final = frozenset({"audit_logs", "audit_chain", "audit_pending", "audit_archives"})

Advance = Callable[[int], None]
"""Told how many bytes more were read."""


@dataclass(slots=True)
class Checked:
    """An export that was read to its end, and what is wrong with it."""

    manifest: Manifest
    manifest_sha256: str
    audit: AuditProof = field(default_factory=AuditProof)
    faults: list[str] = field(default_factory=list)


def check(
    folder: Path, public_key: bytes | None = None, advance: Advance = lambda _: None
) -> Checked:
    """Verify an export. Without a public key from elsewhere, the manifest's own are believed.

    Raises:
        NotAnExport.
    """
    manifest = Manifest.read(folder)
    checked = Checked(manifest, digest_of(folder / MANIFEST))
    for part in manifest.parts:
        checked.faults += _part(folder, manifest.client_id, part, advance)
    checked.faults += _blobs(folder, manifest, advance)
    heads, forged = _heads(manifest, public_key)
    checked.faults += forged
    _prove_audit(folder, checked, heads)
    return checked


def digest_of(path: Path, advance: Advance = lambda _: None) -> str:
    """The SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in _chunks(file):
            digest.update(chunk)
            advance(len(chunk))
    return digest.hexdigest()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _part(folder: Path, client_id: UUID, part: Part, advance: Advance) -> Iterator[str]:
    digest, size, rows = hashlib.sha256(), 0, 0
    whose = str(client_id) if "client_id" in part.columns else None
    try:
        with (folder / part.file).open("rb") as file:
            for rows, line in enumerate(file, start=1):
                digest.update(line)
                size += len(line)
                advance(len(line))
                row = json.loads(line)
                if whose is not None and row["client_id"] != whose:
                    yield f"{part.file} line {rows} is of another client"
                yield from _row(folder, client_id, part, row)
    except OSError as error:
        yield f"{part.file} cannot be read: {error.strerror}"
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        yield f"{part.file} line {rows} is garbled: {error!r}"
    else:
        if (digest.hexdigest(), size, rows) != (part.sha256, part.bytes, part.rows):
            yield f"{part.file} is not what was exported"


def _row(folder: Path, client_id: UUID, part: Part, row: dict[str, Any]) -> Iterator[str]:
    key = row.get("s3_key")
    if key is not None and not key.startswith(owned_prefixes(client_id)):
        yield f"{part.file} names {key}, which is no object of this client"
    blob = named_blob(part.name, row)
    if blob is None:
        return
    path = folder / blob_file(blob.sha256)
    if not path.is_file():
        yield f"{part.file} names {blob.sha256}, which is missing"
    elif path.stat().st_size != blob.size:
        yield f"{blob_file(blob.sha256)} is not {blob.size} bytes long"


def _blobs(folder: Path, manifest: Manifest, advance: Advance) -> Iterator[str]:
    """Each content once, however many versions name it."""
    number = size = 0
    for path in (folder / BLOBS).glob("*/*"):
        number += 1
        size += path.stat().st_size
        if digest_of(path, advance) != path.name:
            yield f"{path.relative_to(folder)} is not what was exported"
    if (number, size) != (manifest.blobs, manifest.blob_bytes):
        told = f"{manifest.blobs} blobs of {manifest.blob_bytes} bytes"
        yield f"there are {number} blobs of {size} bytes, and the manifest counts {told}"


def _heads(manifest: Manifest, trusted: bytes | None) -> tuple[dict[int, Head], list[str]]:
    genuine: dict[int, Head] = {}
    faults: list[str] = []
    for told in manifest.heads:
        try:
            head, shown = _head(manifest.client_id, told), bytes.fromhex(told.public_key)
        except ValueError as error:
            faults.append(f"the head at seq {told.seq} is garbled: {error}")
            continue
        if not is_genuine(head, shown):
            faults.append(f"the head at seq {told.seq} is forged")
        else:
            genuine[told.seq] = head
    # Keys are changed now and then: of the newest head the key is known, if of any.
    if trusted is not None and (not genuine or trusted.hex() != manifest.heads[-1].public_key):
        faults.append("the newest head was signed with another key than the one given")
    return genuine, faults


def _head(client_id: UUID, told: SignedHead) -> Head:
    return Head(
        client_id,
        told.seq,
        bytes.fromhex(told.chain_hash),
        datetime.fromisoformat(told.signed_at),
        UUID(told.kid),
        bytes.fromhex(told.signature),
    )


def _prove_audit(folder: Path, checked: Checked, heads: dict[int, Head]) -> None:
    """What cannot be read was told before; here the log is what its rows say."""
    missing = _AUDIT_TABLES - {part.name for part in checked.manifest.tables}
    if missing:
        checked.faults.append(f"there is no {', '.join(sorted(missing))}")
        return
    try:
        checked.audit = prove(folder, checked.manifest.client_id, heads)
    except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        checked.faults.append(f"the audit log cannot be read: {error}")
    except (BrokenRow, ValueError, LookupError, TypeError, AttributeError) as error:
        checked.faults.append(f"the audit log is garbled: {error!r}")
    checked.faults += checked.audit.faults
    if checked.audit.seq != checked.manifest.audit_seq:
        checked.faults.append("the audit chain does not end where the manifest says")

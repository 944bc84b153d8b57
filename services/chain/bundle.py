"""An exported audit log: lines and a manifest that verify without any database.

audit.jsonl     one line for each link, in order: seq, chain_hash, content_hash, row
manifest.json   whose log, from which seq to which, the chain hash before, the Merkle root, the
                SHA-256 of the lines, and the signed head with which the last line ends
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson

from global_db.audit_heads import Head
from global_db.chain import Link
from services.chain.hashing import MerkleTree, RawNumber, instant, jsonb_text, origin
from services.chain.heads import is_genuine
from services.chain.walk import Walked, step

MANIFEST: Final = "manifest.json"
LINES: Final = "audit.jsonl"
FORMAT: Final = 1


class NotABundle(Exception):
    """The folder holds no export that this program can read."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an export, and at which seq if it is at one."""

    seq: int | None
    fault: str


@dataclass(slots=True)
class Checked:
    """What an export claims to be, and what is wrong with it."""

    manifest: Mapping[str, Any]
    rows: int = 0
    faults: list[Fault] = field(default_factory=list)


@dataclass(slots=True)
class Writer:
    """Writes the lines of an export, then its manifest."""

    folder: Path
    start: Walked
    rows: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)
    _tree: MerkleTree = field(default_factory=MerkleTree)

    def add(self, links: list[Link]) -> None:
        """Write some more links."""
        lines = b"".join(_line(link) for link in links)
        with (self.folder / LINES).open("ab") as file:
            file.write(lines)
        self._digest.update(lines)
        for link in links:
            self._tree.add(link.content_hash)
        self.rows += len(links)

    def finish(self, head: Head, public_key: bytes) -> dict[str, Any]:
        """Write the manifest; without it the lines are no export."""
        manifest = {
            "format": FORMAT,
            "client_id": str(head.client_id),
            "from_seq": self.start.seq + 1,
            "to_seq": head.seq,
            "rows": self.rows,
            "previous_chain_hash": self.start.chain_hash.hex(),
            "merkle_root": self._tree.root().hex(),
            "sha256": self._digest.hexdigest(),
            "head": {
                "seq": head.seq,
                "chain_hash": head.chain_hash.hex(),
                "signed_at": instant(head.signed_at),
                "kid": str(head.kid),
                "signature": head.signature.hex(),
                "public_key": public_key.hex(),
            },
        }
        text = orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (self.folder / MANIFEST).write_bytes(text)
        return manifest


def _line(link: Link) -> bytes:
    row = dict(link.content or {})
    # As PostgreSQL wrote it: reading and writing it again could lose digits.
    row["changes"] = orjson.Fragment(row["changes"])
    row["created_at"] = instant(row["created_at"])
    hashes = {"chain_hash": link.chain_hash.hex(), "content_hash": link.content_hash.hex()}
    return orjson.dumps({"seq": link.seq, **hashes, "row": row}, option=orjson.OPT_APPEND_NEWLINE)


def check(folder: Path, public_key: bytes | None = None) -> Checked:
    """Verify an export. Without a public key from elsewhere, the manifest's own is believed.

    Raises:
        NotABundle.
    """
    manifest, lines = _read_manifest(folder), folder / LINES
    if not lines.exists():
        raise NotABundle(f"{lines} is missing.")
    found = Checked(manifest)
    try:
        _check(found, lines, public_key)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        found.faults.append(
            Fault(None, f"line {found.rows + 1} or the manifest is garbled: {error}")
        )
    return found


def _check(found: Checked, lines: Path, public_key: bytes | None) -> None:
    manifest, head = found.manifest, _head(found.manifest)
    start = walked = Walked(
        manifest["from_seq"] - 1, bytes.fromhex(manifest["previous_chain_hash"])
    )
    if start.seq == 0 and start.chain_hash != origin(head.client_id):
        found.faults.append(Fault(1, "the chain does not begin as this client's does"))
    digest, tree = hashlib.sha256(), MerkleTree()
    for line in _lines(lines):
        digest.update(line)
        link = _link(line)
        tree.add(link.content_hash)
        walked, faults = step(walked, link, {head.seq: head})
        found.faults += [Fault(one.seq, one.fault.value) for one in faults]
        found.rows += 1
    found.faults += _ending(found, walked, digest.hexdigest(), tree.root().hex())
    found.faults += _signature(head, bytes.fromhex(manifest["head"]["public_key"]), public_key)


def _ending(found: Checked, walked: Walked, digest: str, root: str) -> Iterator[Fault]:
    manifest = found.manifest
    if not walked.seq == manifest["to_seq"] == manifest["head"]["seq"]:
        yield Fault(walked.seq + 1, "truncated")
    if found.rows != manifest["rows"]:
        yield Fault(None, f"{found.rows} rows, and the manifest counts {manifest['rows']}")
    if digest != manifest["sha256"]:
        yield Fault(None, "the lines are not those that were exported")
    if root != manifest["merkle_root"]:
        yield Fault(None, "the Merkle root is another one")


def _signature(head: Head, shown: bytes, trusted: bytes | None) -> Iterator[Fault]:
    if trusted is not None and trusted != shown:
        yield Fault(head.seq, "the head was signed with another key than the one given")
    if not is_genuine(head, shown):
        yield Fault(head.seq, "forged_head")


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise NotABundle(f"{folder / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise NotABundle(f"{folder / MANIFEST} is not of format {FORMAT}.")
    return manifest


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _head(manifest: Mapping[str, Any]) -> Head:
    told = manifest["head"]
    return Head(
        UUID(manifest["client_id"]),
        int(told["seq"]),
        bytes.fromhex(told["chain_hash"]),
        datetime.fromisoformat(told["signed_at"]),
        UUID(told["kid"]),
        bytes.fromhex(told["signature"]),
    )


def _link(line: bytes) -> Link:
    told = json.loads(line, parse_float=RawNumber, parse_int=RawNumber)
    row = told["row"]
    return Link(
        int(told["seq"]),
        UUID(row["id"]),
        datetime.fromisoformat(row["created_at"]),
        bytes.fromhex(told["content_hash"]),
        bytes.fromhex(told["chain_hash"]),
        {**row, "changes": jsonb_text(row["changes"])},
    )

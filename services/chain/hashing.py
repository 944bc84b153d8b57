"""The hashes of an audit chain, computed here and not by the database that is to be checked. Pure.

    content hash   SHA-256 of the row as PostgreSQL writes it as a JSON array (jsonb's text form)
    chain hash     SHA-256 of tag | chain hash before | seq, 64 bits big-endian | content hash
    Merkle root    as RFC 6962 has it, over the content hashes of a range of seq

Whoever may change rows may change the database's own functions too; these are the same in Python,
and a test compares them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Final
from uuid import UUID

_LINK_TAG: Final = b"docshard:audit-link:1"
_ORIGIN_TAG: Final = b"docshard:audit-chain:1"
TENANT_ROW: Final = (
    *("client_id", "id", "user_id", "api_key_id", "action", "entity_type", "entity_id"),
    *("changes", "ip_address", "request_id", "created_at"),
)
GLOBAL_ROW: Final = (
    *("id", "user_id", "api_key_id", "client_id", "action", "entity_type", "entity_id"),
    *("changes", "ip_address", "request_id", "reason", "created_at"),
)
"""The columns of a row, in the order in which its content has them."""


class RawNumber(str):
    """A JSON number as it was written: jsonb keeps digits that a float would lose."""


def origin(client_id: UUID) -> bytes:
    """What stands before the first link of a client's chain."""
    return hashlib.sha256(_ORIGIN_TAG + client_id.bytes).digest()


def extend(previous: bytes, seq: int, content_hash: bytes) -> bytes:
    """The chain hash of the link `seq`."""
    return hashlib.sha256(_LINK_TAG + previous + seq.to_bytes(8, "big") + content_hash).digest()


def content_hash(content: Mapping[str, Any]) -> bytes:
    """The hash of what an audit row says; `changes` is its text in jsonb's form."""
    columns = GLOBAL_ROW if "reason" in content else TENANT_ROW
    parts = (content[name] if name == "changes" else _scalar(content[name]) for name in columns)
    return hashlib.sha256(f"[{', '.join(parts)}]".encode()).digest()


def instant(moment: datetime) -> str:
    """A time as content hashes have it: UTC, microseconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, datetime):
        value = instant(value)
    # jsonb escapes what JSON demands and nothing else, as this does.
    return json.dumps(str(value), ensure_ascii=False)


def jsonb_text(value: Any) -> str:
    """JSON in jsonb's text form; members stay in their order, numbers are `RawNumber`s."""
    if isinstance(value, RawNumber):
        return str(value)
    if isinstance(value, dict):
        members = (
            f"{json.dumps(k, ensure_ascii=False)}: {jsonb_text(v)}" for k, v in value.items()
        )
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(jsonb_text, value))}]"
    return json.dumps(value, ensure_ascii=False)


class MerkleTree:
    """The root over content hashes, taken one by one: it proves one row to somebody who may not see
    the others. Holds one hash for each bit of their number."""

    def __init__(self) -> None:
        self._complete: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """Take the next content hash."""
        height, node = 0, hashlib.sha256(b"\x00" + leaf).digest()
        while self._complete and self._complete[-1][0] == height:
            node = _parent(self._complete.pop()[1], node)
            height += 1
        self._complete.append((height, node))

    def root(self) -> bytes:
        """The root over what was taken so far."""
        if not self._complete:
            return hashlib.sha256(b"").digest()
        return reduce(
            lambda right, left: _parent(left, right), [n for _, n in self._complete][::-1]
        )


def _parent(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()

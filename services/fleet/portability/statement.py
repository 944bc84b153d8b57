"""What the certificate of an erasure states: in words for whoever was erased. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from global_db.audit_heads import Head
from global_db.erasures import Erasure
from services.chain.hashing import instant

_STAYS = (
    {
        "what": "a tombstone in the directory: the client's id, where it lived, these times",
        "why": "the id is never given again, and this certificate can be had again",
    },
    {
        "what": "on shards where it lived, the client's id with the mark `gone`",
        "why": "whoever believes that it still lives there is refused",
    },
    {
        "what": "entries of the global audit log that name the client's id: who created, changed, "
        "moved, exported and erased it, with its code, name and metadata as they were then",
        "why": "the log is one chain of hashes for all clients; what operators did stays provable",
    },
    {
        "what": "signed heads of the client's audit chain: numbers and hashes",
        "why": "copies of the log that were handed out can still be proven",
    },
    {
        "what": "accounts of people who had roles on the client; the roles are gone",
        "why": "they are people's own, and may have roles elsewhere; they are deleted as users",
    },
    {
        "what": "exports and downloads that were made before",
        "why": "they left the fleet",
    },
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What an erasure did: `directory` rows removed by table, on which `shards` was looked, the
    client's last signed `head`."""

    erasure: Erasure
    directory: Mapping[str, int]
    shards: Sequence[str]
    head: Head | None
    erased_at: datetime
    backup_days: int | None


def statement(facts: Facts) -> dict[str, Any]:
    """Texts, numbers, lists and objects: what can be written as JSON in one way."""
    erasure, found = facts.erasure, facts.erasure.found
    return {
        "client_id": str(erasure.client_id),
        "erasure_id": str(erasure.id),
        "deleted_at": instant(erasure.deleted_at),
        "begun_at": instant(erasure.begun_at),
        "erased_at": instant(facts.erased_at),
        "reason": erasure.reason,
        "erased": {
            "rows_by_shard": found.get("rows", {}),
            "directory_rows": dict(facts.directory),
            "contents": found.get("contents", {}),
            "archived_audit_months": found.get("archived_months", {}),
        },
        "looked_at": {
            "shards": list(facts.shards),
            "objects": "every version of every object of the client, in the bucket",
            "found_afterwards": 0,
        },
        "last_audit_head": _head(facts.head),
        "backups": _backups(facts),
        "stays": [dict(one) for one in _STAYS],
    }


def _head(head: Head | None) -> dict[str, Any]:
    if head is None:
        return {}
    return {"seq": head.seq, "chain_hash": head.chain_hash.hex(), "kid": str(head.kid)}


def _backups(facts: Facts) -> dict[str, Any]:
    """Also of the servers' own logs: what is in backups of today is in none of then."""
    if facts.backup_days is None:
        return {
            "hold_it_until": "unknown",
            "because": "no retention of backups is configured (DOCSHARD_BACKUP_OLDEST_DAYS)",
        }
    until = facts.erased_at + timedelta(days=facts.backup_days)
    return {
        "hold_it_until": instant(until),
        "because": f"backups are kept for {facts.backup_days} days",
        "when_restored": "what comes back with a restored database has to be erased again",
    }

"""What the doctor makes of chains, their heads and what waits to be linked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.fleet.chain_doctor import ChainState, Head, judge

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HEAD = Head(UUID(int=1), 7, b"signed", NOW, UUID(int=2), b"signature")
SOUND = ChainState("client acme", HEAD, b"signed", NOW - timedelta(seconds=1))


def findings(*states: ChainState) -> list[str]:
    return [f"{finding.subject} {finding.what}" for finding in judge(states, NOW)]


def test_a_chain_that_is_signed_or_too_young_for_it_is_no_finding() -> None:
    assert findings(SOUND, ChainState("client new", None, None, None)) == []


def test_another_link_than_was_signed_is_one_and_so_is_none() -> None:
    wrong = ["client acme its audit chain does not agree with the head signed at seq 7"]
    assert findings(replace(SOUND, link_hash=b"another")) == wrong
    assert findings(replace(SOUND, link_hash=None)) == wrong


def test_rows_that_nobody_links_are_one() -> None:
    late = replace(SOUND, waiting_since=NOW - timedelta(minutes=2))
    assert findings(late) == [
        "client acme has audit rows without a link since 2026-11-22 11:58 UTC"
    ]

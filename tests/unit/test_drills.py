"""Drills, timely backups, copies and side restores: what is chosen and judged, on plain data."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from deploy.backups.history import Backup, Stanza, end_of_wal
from deploy.backups.timely import due
from global_db.canaries import Canary
from global_db.soundness import Sung
from services.fleet.blob_copy import missing
from services.fleet.drills import goals
from services.fleet.side_restore.judgement import Wish, key_of, side_by_side, wishes
from shards.copying.keys import TABLES

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MIB = 1024**2
SUNG = [Canary(NOW + timedelta(minutes=minute), 16 * minute * MIB) for minute in range(5)]
FULL = Backup("shard-1", 1, "F", "full", NOW, NOW, 0x100, 0x200, 1, 1000, 100, faulty=False)


def test_what_wal_brings_back_ends_where_wal_ends() -> None:
    stanza = Stanza(
        "shard-1", "ok", (), {1: ("A", "000000020000000100000007"), 2: (None, None)}, {}
    )
    assert end_of_wal(stanza) == (1 << 32) + 8 * 16 * MIB
    assert end_of_wal(replace(stanza, wal={})) == 0
    assert goals.restorable(SUNG, 3 * 16 * MIB) == SUNG[:3]
    assert goals.restorable(SUNG, 0) == []


def test_a_random_second_has_a_row_before_it_and_one_behind() -> None:
    for seed in range(50):
        at = goals.random_second(SUNG, random.Random(seed))
        assert SUNG[0].written_at <= at < SUNG[-1].written_at


def test_rows_that_are_missing_or_too_many_are_told() -> None:
    at = SUNG[2].written_at + timedelta(seconds=1)
    assert list(goals.judge_canaries(SUNG, at, Sung(SUNG[2].written_at, 3))) == []
    for wrong in (Sung(SUNG[1].written_at, 2), Sung(SUNG[3].written_at, 4), Sung(None, 0)):
        assert len(list(goals.judge_canaries(SUNG, at, wrong))) == 1


def test_goals_that_are_missed_are_told() -> None:
    assert list(goals.judge_goals(300, 3600)) == []
    assert len(list(goals.judge_goals(301, 3601))) == 2


def test_clusters_without_a_good_drill_are_found_in_time() -> None:
    good = {"global": NOW - timedelta(days=2), "shard-1": NOW - timedelta(days=40)}
    since: dict[str, datetime | None] = dict.fromkeys(good, NOW - timedelta(days=90))
    since |= {"shard-2": NOW, "shard-3": NOW - timedelta(days=36), "shard-4": None}
    found = [one.subject for one in goals.judge_drills(good, since, NOW, 35)]
    assert found == ["shard-1", "shard-3"]
    assert goals.longest_waiting(["global", "shard-1", "shard-2"], good) == "shard-2"
    assert goals.longest_waiting(["global", "shard-1"], good) == "shard-1"


@pytest.mark.parametrize(
    ("ages", "kind"),
    [
        ({}, "full"),
        ({"full": 0.5}, None),
        ({"full": 2}, "incr"),
        ({"full": 5, "incr": 0.5}, None),
        # Behind and before a quarter past one of this night.
        ({"full": 10.5, "incr": 0.5}, None),
        ({"full": 11, "incr": 0.5}, "full"),
    ],
)
def test_backups_are_due_by_night_and_by_the_hour(ages: dict[str, float], kind: str | None) -> None:
    kept = [
        replace(
            FULL,
            type=type_,
            started_at=NOW - timedelta(hours=age),
            stopped_at=NOW - timedelta(hours=age),
        )
        for type_, age in ages.items()
    ]
    assert due(kept, NOW) == kind


async def pages(*found: Sequence[str]) -> AsyncIterator[list[str]]:
    for page in found:
        yield list(page)


@pytest.mark.parametrize(
    ("here", "there", "lacking"),
    [
        ((), (), ""),
        (("ab", "c"), (), "abc"),
        (("ab", "c"), ("abc",), ""),
        (("abd", "f"), ("b", "ce", "f"), "ad"),
        ((), ("ab",), ""),
    ],
)
async def test_a_copy_lacks_what_is_here_and_not_there(
    here: Sequence[str], there: Sequence[str], lacking: str
) -> None:
    assert "".join([key async for key in missing(pages(*here), pages(*there))]) == lacking


# Side restores

THEN: dict[str, Any] = {
    "deleted_at": None,
    "current_version": 2,
    "checksum_sha256": "\\xaa",
    "mime_type": "text/plain",
    "original_name": "a.txt",
    "metadata": {"n": 1},
}


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({}, {}, set()),
        ({}, {"deleted_at": "2026"}, {Wish.UNDELETE}),
        ({}, {"checksum_sha256": "\\xbb", "current_version": 3}, {Wish.CONTENT}),
        ({"current_version": 0}, {"checksum_sha256": "\\xbb"}, set()),
        ({}, {"metadata": {"n": 2}}, {Wish.FIELDS}),
        ({}, {"original_name": "b", "deleted_at": "2026"}, {Wish.FIELDS, Wish.UNDELETE}),
        ({"deleted_at": "2025"}, {"original_name": "b"}, set()),
    ],
)
def test_what_of_a_document_comes_back(
    then: dict[str, Any], now: dict[str, Any], expected: set[Wish]
) -> None:
    assert wishes(THEN | then, THEN | now) == expected


async def test_rows_of_two_moments_are_paired_by_key() -> None:
    async def keyed(keys: str) -> AsyncIterator[tuple[tuple[str], str]]:
        for key in keys:
            yield (key,), key

    found = [pair async for pair in side_by_side(keyed("abd"), keyed("bce"))]
    assert found == [("a", None), ("b", "b"), (None, "c"), ("d", None), (None, "e")]


def test_keys_compare_as_the_database_orders_them() -> None:
    tables = {str(table.name): table for table in TABLES}
    early, late = ("2026-11-23T12:00:00.9+00:00", "2026-11-23T12:00:00.10+00:00")
    row = {"created_at": early, "id": str(UUID(int=1))}
    key = tables["audit_logs"].key
    assert key_of(row | {"created_at": late}, key) < key_of(row, key)
    key = tables["purged_blobs"].key
    assert (
        key_of({"s3_key": "Z"}, key) < key_of({"s3_key": "a"}, key) < key_of({"s3_key": "é"}, key)
    )

"""How pages of audit logs walk through time, and how the logs of many are merged."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from global_db.audit_pages import GlobalAuditEntry
from global_db.audit_walk import AuditFilter, AuditPosition, Step, Walked, walk, windows
from services.administration.audit_logs import merge

NOW = datetime(2026, 11, 22, 18, tzinfo=UTC)
MONTH = datetime(2026, 11, 1, tzinfo=UTC)


def row(number: int, *, matched: bool = True) -> dict[str, Any]:
    at = NOW - timedelta(hours=number)
    return {"created_at": at, "id": UUID(int=number), "matched": matched}


@pytest.mark.parametrize(
    ("wanted", "before", "expected"),
    [
        (AuditFilter(), None, [(MONTH, None), (None, MONTH)]),
        (AuditFilter(since=MONTH), None, [(MONTH, None)]),
        (AuditFilter(since=NOW), None, [(NOW, None)]),
        (
            AuditFilter(since=datetime(2026, 1, 5, tzinfo=UTC)),
            None,
            [(MONTH, None), (datetime(2026, 1, 5, tzinfo=UTC), MONTH)],
        ),
        (
            AuditFilter(until=datetime(2026, 3, 9, tzinfo=UTC)),
            None,
            [
                (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)),
                (None, datetime(2026, 3, 1, tzinfo=UTC)),
            ],
        ),
        (
            AuditFilter(),
            AuditPosition(datetime(2025, 12, 31, 23, 59, tzinfo=UTC), UUID(int=1)),
            [
                (datetime(2025, 12, 1, tzinfo=UTC), None),
                (None, datetime(2025, 12, 1, tzinfo=UTC)),
            ],
        ),
        # A clock ahead of ours: what it wrote is in the first window.
        (AuditFilter(until=NOW + timedelta(days=90)), None, [(MONTH, NOW + timedelta(days=90))]),
    ],
)
def test_a_page_asks_its_month_and_what_is_older(
    wanted: AuditFilter, before: AuditPosition | None, expected: list[tuple[Any, Any]]
) -> None:
    found = [(window.since, window.until) for window in windows(wanted, before, NOW)]
    assert found[: len(expected)] == expected
    assert len(found) <= 2


async def walked(rows: Sequence[dict[str, Any]], limit: int, most: int) -> list[list[int]]:
    """Every page of a log of these rows, whose windows look at `most`."""
    pages: list[list[int]] = []
    before: AuditPosition | None = None
    while True:

        async def ask(
            step: Step[AuditFilter], before: AuditPosition | None = before
        ) -> list[dict[str, Any]]:
            since, until = step.wanted.since, step.wanted.until
            run = [
                one
                for one in rows
                if (since is None or one["created_at"] >= since)
                and (until is None or one["created_at"] < until)
                and (
                    before is None
                    or (one["created_at"], one["id"]) < (before.created_at, before.id)
                )
            ][: step.most]
            numbered = [one | {"place": place} for place, one in enumerate(run, start=1)]
            kept = [one for one in numbered if one["matched"] or one["place"] == step.most]
            return kept[: step.page]

        page = await walk(ask, AuditFilter(), before, limit, most)
        pages.append([one["id"].int for one in page.rows])
        if page.end is None:
            return pages
        before = page.end


@pytest.mark.parametrize("seed", range(20))
async def test_every_match_comes_once_in_order_whatever_the_bounds(seed: int) -> None:
    luck = random.Random(seed)
    rows = [row(number, matched=luck.random() < 0.3) for number in range(1, luck.randint(2, 3_000))]
    limit = luck.randint(1, 20)
    pages = await walked(rows, limit, luck.randint(limit + 1, 200))
    assert [one for page in pages for one in page] == [r["id"].int for r in rows if r["matched"]]
    assert max(len(page) for page in pages) <= limit


# Merging


def entry(number: int) -> GlobalAuditEntry:
    at = NOW - timedelta(minutes=number // 3)  # times are not unique
    return GlobalAuditEntry(
        id=UUID(int=10_000 - number), user_id=None, api_key_id=None, client_id=None, action="a.b",
        entity_type="c", entity_id=UUID(int=1), changes={}, ip_address=None, request_id=None,
        created_at=at,
    )  # fmt: skip


def place(one: GlobalAuditEntry) -> AuditPosition:
    return AuditPosition(one.created_at, one.id)


@pytest.mark.parametrize("seed", range(30))
def test_pages_of_many_logs_are_the_pages_of_one(seed: int) -> None:
    luck = random.Random(seed)
    everything = [entry(number) for number in range(luck.randint(0, 300))]
    # A tenant at the switch of a move: its entries may be in two parts.
    logs: list[list[GlobalAuditEntry]] = [[] for _ in range(luck.randint(1, 6))]
    for one in everything:
        for log in luck.sample(logs, 2 if luck.random() < 0.1 and len(logs) > 1 else 1):
            log.append(one)
    limit, before = luck.randint(1, 40), None
    found: list[GlobalAuditEntry] = []
    while True:
        parts = []
        for log in logs:
            rest = [one for one in log if before is None or place(one) < before]
            # Parts end where they are full, or short of that where they have looked enough.
            taken = rest[: min(limit, luck.randint(1, 40))]
            parts.append(Walked(taken, place(taken[-1]) if len(rest) > len(taken) else None))
        page = merge(parts, limit)
        found += page.rows
        assert len(page.rows) <= limit
        if page.end is None:
            break
        before = page.end
    assert [one.id for one in found] == [one.id for one in everything]

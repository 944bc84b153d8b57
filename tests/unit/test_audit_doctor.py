"""What the doctor makes of archives and months; which months are due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from services.fleet.archive_overview import Overview, steps
from services.fleet.audit_archive import due
from services.fleet.audit_doctor import Archive, Month, judge

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OLD, KEPT = date(2024, 10, 1), date(2024, 11, 1)
BEGUN = Archive(
    UUID(int=1), "shard-1", OLD, "planned", None, None, None, None, NOW - timedelta(hours=1), NOW
)


def findings(*archives: Archive, months: dict[str, list[Month]] | None = None) -> list[str]:
    found = judge(archives, months or {}, 24, NOW)
    return [f"{finding.subject} {finding.what}" for finding in found]


def test_what_goes_on_is_no_finding() -> None:
    months = {"shard-1": [Month(OLD, attached=False), Month(KEPT, attached=True)]}
    ended = replace(BEGUN, state="dropped", updated_at=NOW - timedelta(days=400))
    assert findings(BEGUN, ended, months=months) == []


def test_what_is_stuck_is_named_with_its_reason() -> None:
    assert findings(replace(BEGUN, problem="row 7 is not linked")) == [
        "shard-1 its audit log of 2024-10 stays planned: row 7 is not linked"
    ]
    slow = replace(BEGUN, state="detached", updated_at=NOW - timedelta(days=1))
    assert findings(slow) == [
        "shard-1 its audit log of 2024-10 stays detached since 2026-11-21 12:00 UTC"
    ]


def test_what_nobody_has_begun_is_named() -> None:
    assert findings(months={"shard-2": [Month(OLD, attached=True)]}) == [
        "shard-2 keeps 2024-10, older than 24 months"
    ]
    assert findings(months={"global": [Month(KEPT, attached=False)]}) == [
        "global has detached 2024-11, and no archive knows of it"
    ]
    # Due since the month began: the worker has two days.
    early = NOW.replace(day=2)
    assert not list(judge((), {"global": [Month(OLD, attached=True)]}, 24, early))


@pytest.mark.parametrize(
    ("today", "keep_months", "expected"),
    [
        (date(2026, 11, 30), 24, [OLD]),
        (date(2026, 12, 1), 24, [OLD, KEPT]),
        (date(2026, 11, 1), 25, []),
        (date(2026, 1, 31), 1, [OLD, KEPT]),
        (date(2026, 11, 30), 0, []),
    ],
)
def test_the_policy_keeps_this_month_and_so_many_before(
    today: date, keep_months: int, expected: list[date]
) -> None:
    assert due([OLD, KEPT, date(2026, 1, 1)], today, keep_months) == expected


def test_a_plan_has_the_steps_that_are_left() -> None:
    stored = replace(BEGUN, state="stored")
    assert steps(Overview([stored], [])) == ["shard-1 2024-10: drop the table"]
    assert len(steps(Overview([BEGUN], [("shard-2", OLD)]))) == 3 + 4

"""What the proof makes of facts about a document (I5, I7) and about an archived month (I5)."""

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from click import BadParameter

from deploy.cli.doctor_deep import _SampleType
from global_db.placements import Placed
from services.blobs.store import BlobInfo
from services.fleet.invariants import archived, documents
from services.fleet.invariants.archived import ArchiveFacts
from services.fleet.invariants.findings import MOST_KEPT, Finding, Report, Rule
from services.fleet.invariants.scope import Drawing, Sample
from shards.archives import StoredObject, TenantArchive
from shards.evidence import DocumentFacts

CLIENT, NOW = UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC)

FILLED = DocumentFacts(
    document_id=UUID(int=2),
    exists=True,
    whole=True,
    row_version=3,
    current_version=2,
    versions=2,
    lowest=1,
    highest=2,
    newest_agrees=True,
    created=1,
    created_then=True,
    changed=3,
    changed_then=True,
    purged=0,
    unaudited=(),
    doubled=(),
    altered=(),
    lost=(),
    unbalanced=(),
    overtold=(),
)
EMPTY = replace(FILLED, row_version=1, changed=1, versions=0, lowest=0, highest=0)
EMPTY = replace(EMPTY, current_version=0, newest_agrees=False)
OLD = replace(FILLED, whole=False, created=0, changed=1, unbalanced=("size",))
PURGED = replace(FILLED, exists=False, row_version=0, current_version=0, purged=1, versions=0)
STORED = TenantArchive(
    *(UUID(int=3), date(2025, 1, 1), "key", 5, 100, b"digest", 1, 9, NOW),
    stored_at=NOW,
)
ARCHIVED = ArchiveFacts(
    STORED, "key", "dropped", asked=True, found=BlobInfo(100, "gzip", b"digest"), linked=5
)


@pytest.mark.parametrize("facts", [FILLED, EMPTY, OLD, PURGED])
def test_what_is_as_it_should_be_is_no_finding(facts: DocumentFacts) -> None:
    assert list(documents.judge(CLIENT, facts)) == []


@pytest.mark.parametrize(
    ("facts", "changed", "rule"),
    [
        (FILLED, {"versions": 1}, Rule.VERSIONED),
        (FILLED, {"lowest": 2}, Rule.VERSIONED),
        (FILLED, {"current_version": 1}, Rule.VERSIONED),
        (FILLED, {"newest_agrees": False}, Rule.VERSIONED),
        (FILLED, {"altered": (1,)}, Rule.VERSIONED),
        (FILLED, {"unaudited": (1,)}, Rule.AUDITED),
        (FILLED, {"doubled": (1,)}, Rule.AUDITED),
        (FILLED, {"lost": (3,)}, Rule.AUDITED),
        (FILLED, {"created": 2}, Rule.AUDITED),
        (FILLED, {"created_then": False}, Rule.AUDITED),
        (FILLED, {"changed": 2}, Rule.AUDITED),
        (FILLED, {"changed_then": False}, Rule.AUDITED),
        (FILLED, {"unbalanced": ("size",)}, Rule.AUDITED),
        (FILLED, {"purged": 1}, Rule.AUDITED),
        (OLD, {"changed": 4}, Rule.AUDITED),
        (OLD, {"overtold": ("size",)}, Rule.AUDITED),
        (OLD, {"unaudited": (2,)}, Rule.AUDITED),
        (PURGED, {"purged": 0}, Rule.AUDITED),
        (PURGED, {"purged": 2}, Rule.AUDITED),
        (PURGED, {"unbalanced": ("size",)}, Rule.AUDITED),
        (PURGED, {"versions": 1}, Rule.VERSIONED),
    ],
)
def test_each_fault_alone_is_one_finding(
    facts: DocumentFacts, changed: dict[str, Any], rule: Rule
) -> None:
    (found,) = documents.judge(CLIENT, replace(facts, **changed))
    assert (found.rule, found.client, found.document) == (rule, CLIENT, facts.document_id)


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "another"},
        {"state": None},
        {"found": None},
        {"found": BlobInfo(99, "gzip", b"digest")},
        {"found": BlobInfo(100, "gzip", b"other")},
        {"broken": "row 5"},
        {"held": StoredObject(4, 100, b"digest", 1, 9)},
        {"linked": 6},
        {"archive": replace(STORED, stored_at=None)},
    ],
)
def test_an_archive_needs_others_to_agree(changed: dict[str, Any]) -> None:
    assert list(archived.judge(CLIENT, ARCHIVED)) == []
    assert len(list(archived.judge(CLIENT, replace(ARCHIVED, **changed)))) == 1


def test_a_month_that_is_being_archived_is_believed() -> None:
    """Its rows are still on the shard; the global database says that somebody is at it."""
    begun = replace(ARCHIVED, archive=replace(STORED, stored_at=None), found=None, linked=0)
    for state in ("planned", "detached"):
        assert list(archived.judge(CLIENT, replace(begun, state=state))) == []


def test_a_report_is_bounded() -> None:
    report = Report()
    for _ in range(MOST_KEPT + 5):
        report.add(Finding(Rule.PLACED, "a", "b", "c"))
    assert (len(report.findings), report.more, report.holds) == (MOST_KEPT, 5, False)


def drawn(sample: Sample, seed: int, tenants: int = 100) -> list[int]:
    drawing = Drawing(sample, random.Random(seed))
    for number in range(tenants):
        drawing.offer(Placed(UUID(int=number), "c", "shard-1", 1))
    return [one.client_id.int for one in drawing.taken()]


def test_a_sample_is_drawn_evenly() -> None:
    times = Counter(number for seed in range(2_000) for number in drawn(Sample(count=10), seed))
    assert len(times) == 100 and sum(times.values()) == 20_000
    assert max(times.values()) < 2 * min(times.values())
    assert len(drawn(Sample(count=1_000), 1)) == 100
    assert 5 < len(drawn(Sample(share=0.1), 1, 200)) < 40


@pytest.mark.parametrize(
    ("text", "sample"), [("20", Sample(count=20)), ("2.5%", Sample(share=0.025))]
)
def test_a_sample_is_a_number_or_a_share(text: str, sample: Sample) -> None:
    assert _SampleType().convert(text, None, None) == sample


@pytest.mark.parametrize("text", ["0", "-1", "0%", "101%", "many"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        _SampleType().convert(text, None, None)

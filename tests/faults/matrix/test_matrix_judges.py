"""The matrix's own eye: what a ledger must not be told."""

from uuid import UUID

import pytest

from tests.faults.matrix.checks import judge_documents, judge_openings, judge_versions
from tests.faults.matrix.ledger import digest_of

ONE, TWO = UUID(int=1), UUID(int=2)


# What was acknowledged: two documents, and two versions of the first.
MADE = {ONE: "one", TWO: "two"}
LISTS = {ONE: ["a", "b"]}


def version(document: UUID, key: str) -> dict[str, object]:
    return {"document_id": document, "s3_key": key, "checksum_sha256": digest_of(key)}


DOCUMENTS = [{"id": ONE, "original_name": "one"}, {"id": TWO, "original_name": "two"}]
VERSIONS = [version(ONE, "a"), version(ONE, "b")]


def test_what_was_acknowledged_is_all_right() -> None:
    assert list(judge_documents(MADE, DOCUMENTS)) == []
    assert list(judge_versions(MADE, LISTS, VERSIONS)) == []


@pytest.mark.parametrize(
    "rows",
    [
        DOCUMENTS[:1],
        [*DOCUMENTS, {"id": UUID(int=3), "original_name": "three"}],
        [DOCUMENTS[0], {"id": TWO, "original_name": "one"}],
    ],
    ids=["lost", "never acknowledged", "doubled"],
)
def test_other_documents_are_told(rows: list[dict[str, object]]) -> None:
    assert list(judge_documents(MADE, rows)) != []


@pytest.mark.parametrize(
    "rows",
    [
        VERSIONS[:1],
        [*VERSIONS, version(ONE, "b")],
        [*VERSIONS, version(TWO, "c")],
        VERSIONS[::-1],
        [VERSIONS[0], {**VERSIONS[1], "checksum_sha256": digest_of("a")}],
    ],
    ids=["lost", "doubled", "never acknowledged", "in another order", "another content"],
)
def test_other_versions_are_told(rows: list[dict[str, object]]) -> None:
    assert list(judge_versions(MADE, LISTS, rows)) != []


def test_a_shard_that_is_still_open_is_told() -> None:
    rows: list[dict[str, object]] = [{"epoch": 4, "state": "open"}]
    assert list(judge_openings(rows, 5, given_up=())) != []


@pytest.mark.parametrize(
    ("row", "given_up"),
    [
        ({"epoch": 4, "state": "fenced"}, ()),
        ({"epoch": 4, "state": "gone"}, ()),
        ({"epoch": 5, "state": "open"}, ()),
        ({"epoch": 4, "state": "open"}, (4,)),
    ],
    ids=["fenced", "gone", "being opened", "opened by an aborted move"],
)
def test_where_nobody_can_write_is_right(row: dict[str, object], given_up: tuple[int, ...]) -> None:
    assert list(judge_openings([row], 5, given_up)) == []

"""The ledger of a load test: what is missing, what is doubled, what nobody can know. Pure."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.ledger import Entry, Found, Known, judge

DONE, UNSURE = Known.DONE, Known.UNSURE


def entry(**more: object) -> Entry:
    given = {
        "tenant": 0,
        "mark": "m",
        "created": DONE,
        "document_id": "d",
        "versions": {1: "sha"},
        "patches": ["change a"],
    }
    return Entry.model_validate(given | more)


def found(**more: object) -> Found:
    there = Found("d", "m", frozenset({"write", "change a"}), False, ((1, "sha"),), 1)
    return replace(there, **more)  # type: ignore[arg-type]  # each test names real fields


def sums(written: Entry, *documents: Found) -> tuple[int, int, int, int]:
    ledger = judge([written], {0: documents}).ledger
    return ledger.acknowledged, ledger.checked, ledger.missing, ledger.doubled


def test_what_was_acknowledged_and_is_there_once_balances() -> None:
    judgement = judge([entry()], {0: [found()]})
    assert judgement.ledger.balanced
    assert judgement.findings == ()


def test_a_document_that_is_gone_takes_all_writes_to_it_along() -> None:
    assert sums(entry()) == (3, 3, 3, 0)
    assert judge([entry()], {0: []}).findings[0] == "I1: missing: document d"


def test_a_creation_that_was_done_twice_is_found_by_its_mark() -> None:
    assert sums(entry(), found(), found(document_id="e", changes=0)) == (3, 3, 0, 1)


def test_a_document_under_another_id_is_not_the_acknowledged_one() -> None:
    assert sums(entry(), found(document_id="e"))[2] == 1


def test_versions_must_have_their_number_and_their_bytes() -> None:
    assert sums(entry(), found(versions=()))[2:] == (1, 0)
    assert sums(entry(), found(versions=((1, "other"),)))[2:] == (1, 0)
    assert sums(entry(), found(versions=((1, "sha"), (2, "sha"))))[2:] == (0, 1)


def test_changes_must_be_there_and_be_made_once() -> None:
    assert sums(entry(), found(fields=frozenset({"write"})))[2:] == (1, 0)
    assert sums(entry(), found(changes=2))[2:] == (0, 1)


def test_a_deletion_must_hold() -> None:
    deleted = entry(deleted=DONE)
    assert sums(deleted, found(deleted=True, versions=())) == (4, 4, 0, 0)
    assert sums(deleted, found()) == (4, 4, 1, 0)


def test_of_writes_without_an_answer_each_may_be_there_once_or_not() -> None:
    unsure = entry(versions_unsure=1, patches_unsure=1)
    assert sums(unsure, found())[2:] == (0, 0)
    assert sums(unsure, found(versions=((1, "sha"), (2, "x")), changes=2))[2:] == (0, 0)
    assert sums(unsure, found(versions=((1, "sha"), (2, "x"), (3, "x")), changes=3))[2:] == (0, 2)


def test_a_creation_without_an_answer_may_be_there_once_or_not() -> None:
    unsure = Entry(tenant=0, mark="m")
    bare = found(fields=frozenset({"write"}), versions=(), changes=0)
    assert sums(unsure) == (0, 0, 0, 0)
    assert sums(unsure, bare) == (0, 0, 0, 0)
    assert sums(unsure, bare, replace(bare, document_id="e")) == (0, 0, 0, 1)


def test_tenants_that_could_not_be_looked_up_leave_the_ledger_open() -> None:
    ledger = judge([entry(), entry(tenant=1)], {0: [found()]}).ledger
    assert (ledger.acknowledged, ledger.checked) == (6, 3)
    assert not ledger.balanced


NAMES = st.sampled_from("abcdef")


@settings(deadline=None)
@given(st.sets(NAMES), st.sets(NAMES), st.dictionaries(st.integers(1, 9), NAMES), st.data())
def test_every_lost_write_is_missing_and_nothing_else(
    kept: set[str], lost: set[str], versions: dict[int, str], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(versions)))) if versions else set()
    written = entry(patches=sorted(kept | lost), versions=versions)
    there = found(
        fields=frozenset(kept),
        versions=tuple((n, sha) for n, sha in versions.items() if n not in gone),
        changes=len(kept | lost),
    )
    assert sums(written, there)[2:] == (len(lost - kept) + len(gone), 0)

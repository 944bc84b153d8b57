"""The ledger: every write of a run, and whether what was acknowledged is there exactly once. Pure.

Acknowledged and missing breaks I1; once written and twice there breaks I2. Of a write whose answer
never came nobody can know whether it was done: it may be there once or not at all, never twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

from pydantic import BaseModel, Field

from loadtests.runs.record import Ledger

MOST_TOLD = 20


class Known(StrEnum):
    """What the caller knows of a write of its own."""

    NOT_TRIED = "not_tried"
    DONE = "done"
    UNSURE = "unsure"
    """It was sent; no answer said whether it was done."""


class Entry(BaseModel):
    """One creation and all writes to what it made; nobody else writes there."""

    tenant: int
    mark: str
    """In the document's metadata, so that it is found whatever its id."""
    created: Known = Known.UNSURE
    document_id: str | None = None
    versions: dict[int, str] = Field(default_factory=dict)
    """SHA-256 of each acknowledged version, by its number."""
    versions_unsure: int = 0
    patches: list[str] = Field(default_factory=list)
    """Metadata fields, one for each acknowledged change."""
    patches_unsure: int = 0
    deleted: Known = Known.NOT_TRIED

    @property
    def acknowledged(self) -> int:
        """How many writes were acknowledged."""
        ends = (self.created, self.deleted).count(Known.DONE)
        return ends + len(self.versions) + len(self.patches)


@dataclass(frozen=True, slots=True)
class Found:
    """A document of the run, as it was found behind it."""

    document_id: str
    mark: str
    fields: frozenset[str]
    """Metadata fields that it has."""
    deleted: bool
    versions: tuple[tuple[int, str], ...] = ()
    """Number and SHA-256 of each; none are known of a deleted document."""
    changes: int = 0
    """`document.update` rows of it in the audit log."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The ledger's sums, and in words what is wrong."""

    ledger: Ledger
    findings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Account:
    """What was found out about one entry."""

    missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)


def judge(entries: Iterable[Entry], found: Mapping[int, Iterable[Found]]) -> Judgement:
    """Compare what was acknowledged with what is there; `found` has each tenant looked up.

    Writes of a tenant that is not in `found` were not checked, and the ledger says so.
    """
    written = list(entries)
    there: dict[tuple[int, str], list[Found]] = {}
    for tenant, documents in found.items():
        for document in documents:
            there.setdefault((tenant, document.mark), []).append(document)
    checked = [entry for entry in written if entry.tenant in found]
    accounts = [_account(entry, there.get((entry.tenant, entry.mark), [])) for entry in checked]
    missing = list(chain.from_iterable(one.missing for one in accounts))
    doubled = list(chain.from_iterable(one.doubled for one in accounts))
    ledger = Ledger(
        acknowledged=sum(entry.acknowledged for entry in written),
        checked=sum(entry.acknowledged for entry in checked),
        missing=len(missing),
        doubled=len(doubled),
    )
    told = [f"I1: missing: {one}" for one in missing] + [f"I2: doubled: {one}" for one in doubled]
    return Judgement(ledger, tuple(told[:MOST_TOLD]))


def _account(entry: Entry, documents: list[Found]) -> _Account:
    account = _Account()
    if not documents:
        if entry.created is Known.DONE:
            # What was written to it later went with it.
            account.missing += [f"document {entry.document_id}"] * entry.acknowledged
        return account
    account.doubled += [f"document {one.document_id} of one creation" for one in documents[1:]]
    of_ours = [one for one in documents if one.document_id == entry.document_id]
    one = (of_ours or documents)[0]
    if entry.document_id is not None and not of_ours:
        account.missing.append(f"document {entry.document_id}")
    _judge_end(entry, one, account)
    _judge_patches(entry, one, account)
    if not one.deleted:
        _judge_versions(entry, one, account)
    return account


def _judge_end(entry: Entry, one: Found, account: _Account) -> None:
    if entry.deleted is Known.DONE and not one.deleted:
        account.missing.append(f"deletion of {one.document_id}")


def _judge_patches(entry: Entry, one: Found, account: _Account) -> None:
    lost = [name for name in entry.patches if name not in one.fields]
    account.missing += [f"change {name} of {one.document_id}" for name in lost]
    most = len(entry.patches) + entry.patches_unsure
    account.doubled += [f"change of {one.document_id}"] * (one.changes - most)


def _judge_versions(entry: Entry, one: Found, account: _Account) -> None:
    there = set(one.versions)
    lost = [
        number for number, checksum in entry.versions.items() if (number, checksum) not in there
    ]
    account.missing += [f"version {number} of {one.document_id}" for number in lost]
    most = len(entry.versions) + entry.versions_unsure
    account.doubled += [f"version of {one.document_id}"] * (len(one.versions) - most)

"""Whether a document is what its versions and its audit rows say (I5, I7): pure rules over facts.

The audit log is the books of a document: each change tells what was before and what is after it.
So a change without its row, a row without its change, and a row that was changed behind the
service's back all leave the books unbalanced, in whatever order they were made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.fleet.invariants.findings import Finding, Rule
from shards.evidence import DocumentFacts

_RESTORE: Final = "compare with a backup of the shard, and restore what is missing"
_LOOK: Final = "`docshard audit verify` tells which rows were touched; compare with a backup"


@dataclass(frozen=True, slots=True)
class _Fault:
    what: str
    means: str
    rule: Rule = Rule.AUDITED
    do: str = _LOOK


def judge(client: UUID, facts: DocumentFacts) -> Iterator[Finding]:
    """What is wrong with one document."""
    for fault in _faults(facts):
        yield Finding(fault.rule, fault.what, fault.means, fault.do, client, facts.document_id)


def _faults(facts: DocumentFacts) -> Iterator[_Fault]:
    if not facts.exists:
        yield from _absent(facts)
        return
    yield from _versions(facts)
    yield from _rows(facts)
    yield from (_history if facts.whole else _rest)(facts)


def _versions(facts: DocumentFacts) -> Iterator[_Fault]:
    current, count = facts.current_version, facts.versions
    if (facts.lowest, facts.highest) != ((1, count) if count else (0, 0)):
        what = f"has {count} versions, numbered {facts.lowest} to {facts.highest}"
        yield _Fault(what, "a version is gone", Rule.VERSIONED, _RESTORE)
    if current != facts.highest:
        what = f"says that version {current} is its newest; the newest is {facts.highest}"
        yield _Fault(what, "readers are given the wrong content", Rule.VERSIONED, _RESTORE)
    elif current and not facts.newest_agrees:
        what = f"repeats other content than that of its newest version {current}"
        yield _Fault(what, "the document or the version was changed", Rule.VERSIONED)
    if facts.altered:
        what = f"has versions that are not what their audit rows tell: {_listed(facts.altered)}"
        yield _Fault(what, "a version was changed", Rule.VERSIONED)


def _rows(facts: DocumentFacts) -> Iterator[_Fault]:
    if facts.unaudited:
        what = f"has versions without an audit row: {_listed(facts.unaudited)}"
        yield _Fault(what, "a change is not told of")
    if facts.doubled:
        what = f"has versions with several audit rows: {_listed(facts.doubled)}"
        yield _Fault(what, "a change is told of twice")
    if facts.lost:
        what = f"lacks versions that audit rows tell of: {_listed(facts.lost)}"
        yield _Fault(what, "a committed change is lost, or was never made", do=_RESTORE)
    if facts.purged:
        what = "is there, and was purged, as its audit log says"
        yield _Fault(what, "it came back, or was not removed")


def _history(facts: DocumentFacts) -> Iterator[_Fault]:
    """Where every audit row that was ever written must be here."""
    if facts.created != 1:
        what = f"has {facts.created} audit rows of its creation"
        yield _Fault(what, "its creation is not told of once")
    elif not facts.created_then:
        what = "was made at another time, or by somebody else, than its audit row tells"
        yield _Fault(what, "the document or the row was changed")
    if facts.changed != facts.row_version:
        yield _Fault(_times(facts), "a change is not told of, or one is that was not made")
    elif not facts.changed_then:
        what = "was changed last in a transaction without an audit row"
        yield _Fault(what, "a change is not told of")
    if facts.unbalanced:
        yield _Fault(_not_as_told(facts.unbalanced), "it or an audit row of it was changed")


def _rest(facts: DocumentFacts) -> Iterator[_Fault]:
    """Where rows of its first months lie in the archive: what was told last must be so."""
    if facts.changed > facts.row_version:
        yield _Fault(_times(facts), "a change is told of that was not made")
    if facts.overtold:
        yield _Fault(_not_as_told(facts.overtold), "it or an audit row of it was changed")


def _absent(facts: DocumentFacts) -> Iterator[_Fault]:
    if facts.versions:
        what = f"is not there, and {facts.versions} versions of it are"
        yield _Fault(what, "a document is gone", Rule.VERSIONED, _RESTORE)
    if facts.purged > 1:
        what = f"was purged {facts.purged} times, as its audit log says"
        yield _Fault(what, "a row is not true")
    elif facts.purged == 0:
        what = f"is not there, and {facts.changed} audit rows tell of it, none of a purge"
        yield _Fault(what, "a document is gone", do=_RESTORE)
    elif facts.whole and facts.unbalanced:
        what = (
            f"was purged as something else than its audit rows lead to: {_some(facts.unbalanced)}"
        )
        yield _Fault(what, "a change is not told of, or an audit row was changed")


def _times(facts: DocumentFacts) -> str:
    return f"was changed {facts.row_version} times, and {facts.changed} audit rows tell of it"


def _not_as_told(members: Sequence[str]) -> str:
    return f"is not what its audit rows lead to: {_some(members)}"


def _some(members: Sequence[str]) -> str:
    return ", ".join(sorted(members))


def _listed(numbers: Sequence[int]) -> str:
    """Ten of them are what the facts hold at most."""
    return ", ".join(map(str, sorted(numbers))) + (" and perhaps more" if len(numbers) > 9 else "")

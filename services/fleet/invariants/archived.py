"""Whether an archived month is what the shard says of it (I5): pure rules over facts.

Of a month that is archived the rows may be gone. Who can write on a shard could so explain away
what he has removed there: therefore others have to agree. The global database must know the
archive, and the object store must have the object under the key that the service gives, as it was
when it was read back; and the chain must have as many links as the object has rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.blobs.store import BlobInfo
from services.fleet.invariants.findings import Finding, Rule
from shards.archives import StoredObject, TenantArchive

_MEANS: Final = "rows of that month may be gone for good, and nobody vouches for them"
_DO: Final = "look for the object in the bucket's older versions, and for the rows in a backup"
_BEGUN: Final = ("planned", "detached")


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """A tenant's archived month, and what others know of it.

    `key`: where the service would have put the object. `state`: what the global database says of
    the archive, None when it does not know it. `asked`: whether the store was asked; then `found`
    is the object. `linked`: links of the chain that are of the month, in the object's range of seq.
    """

    archive: TenantArchive
    key: str
    state: str | None
    asked: bool = False
    found: BlobInfo | None = None
    linked: int = 0
    held: StoredObject | None = None
    """What the object was found to hold, when it was read; `broken` is why it could not be."""
    broken: str | None = None


def judge(client: UUID, facts: ArchiveFacts) -> Iterator[Finding]:
    """What speaks against it."""
    archive = facts.archive
    name = f"its audit log of {archive.month:%Y-%m}, archived as {archive.s3_key},"
    for what in _doubts(facts):
        yield Finding(Rule.AUDITED, f"{name} {what}", _MEANS, _DO, client)


def _doubts(facts: ArchiveFacts) -> Iterator[str]:
    archive = facts.archive
    if archive.s3_key != facts.key:
        yield "has a key that the service never gives"
    elif facts.state is None:
        yield "is of an archive that the global database does not know"
    elif archive.stored_at is None:
        # Begun is as good as any: its rows are still on the shard, attached or not.
        if facts.state not in _BEGUN:
            yield f"was never stored, and the archive is {facts.state}"
    else:
        yield from _differences(facts)


def _differences(facts: ArchiveFacts) -> Iterator[str]:
    archive, found = facts.archive, facts.found
    if facts.asked and found is None:
        yield "is not in the object store"
    elif found is not None and found.size != archive.size:
        yield f"has {found.size} bytes, not {archive.size}"
    elif found is not None and found.sha256 not in (None, archive.sha256):
        yield "has another SHA-256"
    elif facts.broken is not None:
        yield f"is not what was written: {facts.broken}"
    elif facts.held is not None and facts.held != archive.stored:
        yield "holds other rows than were stored"
    if facts.linked != archive.rows:
        yield f"has {archive.rows} rows, and the chain {facts.linked} links of them"

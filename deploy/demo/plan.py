"""What the demo is to look like, and what is missing of it. Pure.

A plan says what each tenant holds in the end; seeding compares it with what the service has and
does the rest. So an interrupted seeding goes on, and a finished one has nothing to do.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from operator import attrgetter

from deploy.demo.corpus import SourceFile
from deploy.demo.tenants import TENANTS, Tenant, zipf_sizes
from docshard_client import Document


class Fate(Enum):
    """What becomes of a document after it was filled, so that the audit has a story to tell."""

    KEPT = auto()
    RENAMED = auto()
    REVIEWED = auto()
    DELETED = auto()


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """One document of the demo."""

    file: SourceFile
    versions: int
    fate: Fate

    @property
    def key(self) -> str:
        """What recognises the document again: its metadata carry it."""
        return self.file.relative

    @property
    def first_name(self) -> str:
        """The name it is created with."""
        name = self.file.name
        return f"draft of {name}"[:255] if self.fate is Fate.RENAMED else name

    def contents(self, present: int) -> Iterator[bytes]:
        """The versions after the present ones: ever longer beginnings, in the end the whole."""
        whole = self.file.read()
        for version in range(present + 1, self.versions + 1):
            yield whole[: max(1, len(whole) * version // self.versions)]


@dataclass(frozen=True, slots=True)
class Collection:
    """A tenant and what it holds."""

    tenant: Tenant
    documents: tuple[PlannedDocument, ...]


def plan(files: Sequence[SourceFile]) -> list[Collection]:
    """Deal the files out to the tenants, sizes after Zipf; the same files give the same plan."""
    sizes = zipf_sizes(len(files), len(TENANTS))
    # Shuffled, because the corpus comes by turns of MIME types, the rare ones first.
    rest = iter(sorted(files, key=attrgetter("rank")))
    return [
        Collection(tenant, tuple(_planned(next(rest)) for _ in range(size)))
        for tenant, size in zip(TENANTS, sizes, strict=True)
    ]


def missing(
    collection: Collection, present: Iterable[Document]
) -> list[tuple[PlannedDocument, Document | None]]:
    """The documents with something left to do, each with what the service has of it."""
    known = {document.metadata.get("path"): document for document in present}
    pairs = [(planned, known.get(planned.key)) for planned in collection.documents]
    return [pair for pair in pairs if not _is_finished(*pair)]


def _is_finished(planned: PlannedDocument, document: Document | None) -> bool:
    if document is None:
        return False
    if document.deleted_at is not None:
        return True  # by the plan, or by somebody who did not want it: leave it
    return document.current_version >= planned.versions and not fate_is_due(planned, document)


def fate_is_due(planned: PlannedDocument, document: Document) -> bool:
    """Whether a filled document still has its fate before it."""
    match planned.fate:
        case Fate.KEPT:
            return False
        case Fate.RENAMED:
            return document.original_name == planned.first_name
        case Fate.REVIEWED:
            return "reviewed" not in document.metadata
        case Fate.DELETED:
            return document.deleted_at is None


def _planned(file: SourceFile) -> PlannedDocument:
    dice = file.rank % 100
    textual = file.mime_type.startswith("text/")
    versions = {0: 3, 1: 2}.get(dice % 8, 1) if textual else 1
    return PlannedDocument(file, versions, _fate(file.rank // 100 % 100))


def _fate(dice: int) -> Fate:
    """5 % are deleted, 8 % renamed, 12 % reviewed."""
    for below, fate in ((5, Fate.DELETED), (13, Fate.RENAMED), (25, Fate.REVIEWED)):
        if dice < below:
            return fate
    return Fate.KEPT

"""Writing an export: files that nobody else may read, each complete before it has its name.

An export that was interrupted is written again into the same folder: its rows anew, of a new
instant; contents that are there already stay, being named by their digest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

from services.errors import Conflict, StorageUnavailable
from services.fleet.portability.layout import (
    BLOBS,
    MANIFEST,
    README,
    SUMS,
    Manifest,
    NamedBlob,
    Part,
    blob_file,
)

_UNFINISHED: Final = ".unfinished"
_KEPT: Final = ".kept"
_FORMAT: Final = Path(__file__).with_name("format.txt")


class ExportFolder:
    """A folder that is becoming an export of one client."""

    def __init__(self, path: Path, client_id: UUID) -> None:
        """Begin, or begin again.

        Raises:
            Conflict: the folder holds something else, or an export that is whole.
        """
        self.path = path
        self.blobs = 0
        self.blob_bytes = 0
        self._claim(client_id)
        self._keep_blobs()

    def part(self, folder: str, name: str, columns: Sequence[str]) -> PartWriter:
        """A file of lines, to be written from its beginning."""
        return PartWriter(self.path, f"{folder}/{name}.jsonl", name, tuple(columns))

    def take_kept(self, blob: NamedBlob) -> bool:
        """Whether the blob is here: from this run, or from one that was interrupted."""
        target, kept = self.path / blob_file(blob.sha256), self._kept(blob)
        if target.exists():
            return True
        if not kept.exists() or kept.stat().st_size != blob.size:
            return False
        self._counted(blob)
        _make_folder(target.parent)
        kept.rename(target)
        return True

    async def add(self, blob: NamedBlob, chunks: AsyncIterator[bytes]) -> None:
        """Write a blob as it arrives; it has its name when it is what it should be.

        Raises:
            StorageUnavailable: it is not.
        """
        target = self.path / blob_file(blob.sha256)
        _make_folder(target.parent)
        writing, digest, size = target.with_suffix(".part"), hashlib.sha256(), 0
        with _create(writing) as file:
            async for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
        if (digest.hexdigest(), size) != (blob.sha256, blob.size):
            writing.unlink()
            raise StorageUnavailable(
                f"The object {blob.s3_key} is not what was stored there: `docshard doctor --blobs`."
            )
        self._counted(blob)
        writing.rename(target)

    def finish(self, manifest: Manifest) -> str:
        """Make it an export; answers the manifest's SHA-256."""
        shutil.rmtree(self.path / _KEPT, ignore_errors=True)
        _write(self.path / README, _FORMAT.read_bytes())
        content = manifest.as_json()
        digest = hashlib.sha256(content).hexdigest()
        with _create(self.path / SUMS) as file:
            for line in self._sums(manifest, digest):
                file.write(line.encode())
        _write(self.path / MANIFEST, content)
        (self.path / _UNFINISHED).unlink()
        return digest

    def _claim(self, client_id: UUID) -> None:
        mark, whose = self.path / _UNFINISHED, f"{client_id}\n"
        if (self.path / MANIFEST).exists() and not mark.exists():
            raise Conflict(f"{self.path} holds an export already: name a new folder.")
        there = self.path.exists() and any(self.path.iterdir())
        if there and not (mark.exists() and mark.read_text() == whose):
            raise Conflict(f"{self.path} is not empty: name a new folder.")
        _make_folder(self.path)
        _write(mark, whose.encode())
        (self.path / MANIFEST).unlink(missing_ok=True)

    def _keep_blobs(self) -> None:
        """Put contents aside: what is not asked for again was purged, and has no place here."""
        for file in (self.path / BLOBS).glob("*/*"):
            if file.suffix == ".part":
                file.unlink()
                continue
            target = self.path / _KEPT / file.parent.name / file.name
            _make_folder(target.parent)
            file.rename(target)

    def _kept(self, blob: NamedBlob) -> Path:
        return self.path / _KEPT / blob.sha256[:2] / blob.sha256

    def _counted(self, blob: NamedBlob) -> None:
        self.blobs += 1
        self.blob_bytes += blob.size

    def _sums(self, manifest: Manifest, digest: str) -> Iterator[str]:
        yield f"{digest}  {MANIFEST}\n"
        for part in manifest.parts:
            yield f"{part.sha256}  {part.file}\n"
        for folder in sorted((self.path / BLOBS).glob("*")):
            for name in sorted(file.name for file in folder.iterdir()):
                yield f"{name}  {blob_file(name)}\n"


@dataclass(slots=True)
class PartWriter:
    """Writes one file of lines; `with` closes it."""

    folder: Path
    file: str
    name: str
    columns: tuple[str, ...]
    rows: int = 0
    bytes: int = 0
    _digest: Any = None
    _out: BinaryIO | None = None

    def __enter__(self) -> PartWriter:
        path = self.folder / self.file
        _make_folder(path.parent)
        self._digest, self._out = hashlib.sha256(), _create(path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._out is not None:
            self._out.close()

    def add(self, lines: Sequence[str]) -> None:
        """Add lines, each a JSON object without its line's end."""
        if self._out is None:
            raise ValueError("the file is not open")
        block = "".join(f"{line}\n" for line in lines).encode()
        self._digest.update(block)
        self._out.write(block)
        self.rows += len(lines)
        self.bytes += len(block)

    def part(self) -> Part:
        """What was written."""
        digest = self._digest.hexdigest()
        return Part(self.name, self.file, self.columns, self.rows, self.bytes, digest)


def _make_folder(path: Path) -> None:
    # Each level by itself: `parents=True` would give those above the mode of everybody else.
    if not path.exists():
        _make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _create(path: Path) -> BinaryIO:
    """Open for writing, empty; for its owner alone, whatever the process's mask says."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _write(path: Path, content: bytes) -> None:
    writing = path.with_name(f"{path.name}.part")
    with _create(writing) as file:
        file.write(content)
    writing.rename(path)

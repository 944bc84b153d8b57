"""`docshard docs put|get`: files in and out."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import click

from deploy.cli.docs_api import Desk, document_id, tenant_desk
from deploy.cli.docs_progress import progress_bar
from deploy.cli.output import Format, output_option, show_one, show_rows
from deploy.errors import OperatorError, Refused, UsageFault
from docshard_client import Progress, Version


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE…",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
)
@click.option("--document", metavar="ID", help="Store as the next version of this document.")
@click.option("--name", help="What to call the document; default: the file's name.")
@click.option(
    "--mime-type",
    metavar="TYPE",
    help="Default: guessed from the name; of a further version, the document's.",
)
@click.option("--metadata", metavar="JSON", help="A JSON object that says more about it.")
@output_option
def put(
    *,
    files: tuple[Path, ...],
    document: str | None,
    name: str | None,
    mime_type: str | None,
    metadata: str | None,
    output: Format,
) -> None:
    """Store files, each as a new document, or one as the next version of a document.

    They go straight to the object store, large ones in parts, and their SHA-256 is checked there.
    A file that cannot be stored leaves nothing behind.
    """
    if len(files) > 1 and (name or document):
        raise UsageFault("--name and --document are for one file.", "", "Give one file at a time.")
    if document and (name or metadata):
        raise UsageFault("A version has no name and no metadata of its own.", "", "Leave them out.")
    order = _Order(
        document_id(document) if document else None, name, mime_type, json_object(metadata)
    )
    stored: list[dict[str, Any]] = []
    try:
        with tenant_desk() as desk, progress_bar() as follow:
            for file in files:
                version = _store(desk, order, file, follow(file.name))
                stored.append(_stored(file, version))
    except OperatorError as error:
        if stored:
            error.means += f"\n{len(stored)} of {len(files)} files were stored before."
        raise
    finally:
        if stored:
            show_rows("versions", stored, output)


@click.command()
@click.argument("document", metavar="ID")
@click.option("--version", "number", type=click.IntRange(1), help="Which; default: the newest.")
@click.option(
    "-O",
    "--output-path",
    "place",
    type=click.Path(path_type=Path),
    help="Where to: a file, or a folder, where it keeps its name.",
)
@output_option
def get(document: str, number: int | None, place: Path | None, output: Format) -> None:
    """Fetch a document's bytes.

    Into -O; without it to standard output when that is piped, else into a file of the document's
    name here, which must not exist yet. Nothing is written before the SHA-256 was found right.
    """
    wanted = document_id(document)
    with tenant_desk() as desk:
        if place is None and not sys.stdout.isatty():
            _pour(desk, wanted, number)
            return
        path = _place(desk, wanted, place)
        version = _fetch(desk, wanted, number, path)
    show_one("version", _stored(path, version), output)


@dataclass(frozen=True)
class _Order:
    document_id: UUID | None
    name: str | None
    mime_type: str | None
    metadata: Mapping[str, Any] | None


def _store(desk: Desk, order: _Order, file: Path, progress: Progress) -> Version:
    return desk.api.upload_file(
        desk.client_id,
        file,
        document_id=order.document_id,
        original_name=order.name,
        mime_type=order.mime_type,
        metadata=order.metadata,
        progress=progress,
    )


def _place(desk: Desk, wanted: UUID, place: Path | None) -> Path:
    if place is not None and not place.is_dir():
        return place
    name = Path(desk.api.get_document(desk.client_id, wanted).original_name).name
    path = (place or Path()) / name
    if path.exists():
        raise Refused(f"{path} exists already.", "Nothing was fetched.", f"Name it: -O {path}")
    return path


def _fetch(desk: Desk, wanted: UUID, number: int | None, path: Path) -> Version:
    with progress_bar() as follow:
        return desk.api.download_file(
            desk.client_id, wanted, path, number=number, progress=follow(path.name)
        )


def _pour(desk: Desk, wanted: UUID, number: int | None) -> None:
    """Write to standard output, by way of a file: what has been piped cannot be taken back."""
    with TemporaryDirectory(prefix="docshard-") as folder:
        path = Path(folder, str(wanted))
        _fetch(desk, wanted, number, path)
        with path.open("rb") as file, suppress(BrokenPipeError):  # `| head` has seen enough
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing to flush at exit


def _stored(path: Path, version: Version) -> dict[str, Any]:
    return {
        "document_id": version.document_id,
        "version_number": version.version_number,
        "file": str(path),
        "mime_type": version.mime_type,
        "size": version.size,
        "checksum_sha256": version.checksum_sha256,
    }


def json_object(text: str | None) -> Mapping[str, Any] | None:
    """What --metadata says."""
    try:
        found = None if text is None else json.loads(text)
    except ValueError:
        found = text
    if found is None or isinstance(found, dict):
        return found
    raise UsageFault(
        "--metadata is not a JSON object.", "", """Write --metadata '{"year": 2026}'."""
    )

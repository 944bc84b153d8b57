"""`docshard docs ls|search|history`: what is there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, get_args

import click

from deploy.cli.docs_api import document_id, tenant_desk
from deploy.cli.docs_files import json_object
from deploy.cli.output import Command, Format, output_option, show_rows
from docshard_client import Document
from docshard_client.parameters import Deleted, Sort

_MOMENT = click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"))
_OPTIONS = (
    click.option("--mime-type", metavar="TYPE", help="Only this type."),
    click.option("--metadata", metavar="JSON", help="Only with these metadata; a JSON object."),
    click.option("--created-after", type=_MOMENT, help="Then or later (UTC)."),
    click.option("--created-before", type=_MOMENT, help="Before that (UTC)."),
    click.option("--deleted", type=click.Choice(get_args(Deleted)), help="Deleted ones."),
    click.option("--sort", type=click.Choice(get_args(Sort)), help="The order; - is descending."),
    click.option("--limit", type=click.IntRange(1), default=50, show_default=True),
)


def _filters(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@_filters
@output_option
def ls(limit: int, output: Format, **filters: Any) -> None:
    """List documents, the newest first unless --sort says otherwise."""
    _show(filters, limit, output)


@click.command()
@click.argument("words")
@_filters
@output_option
def search(words: str, limit: int, output: Format, **filters: Any) -> None:
    """Find documents by their names, best first; typing errors are forgiven."""
    _show({"q": words, **filters}, limit, output)


@click.command()
@click.argument("document", metavar="ID")
@output_option
def history(document: str, output: Format) -> None:
    """Show a document's versions, newest first: when, by whom, what."""
    wanted = document_id(document)
    with tenant_desk() as desk:
        found = list(desk.api.list_versions(desk.client_id, wanted))
    rows = [
        {
            "version_number": version.version_number,
            "created_at": version.created_at,
            "created_by": version.created_by,
            "mime_type": version.mime_type,
            "size": version.size,
            "checksum_sha256": version.checksum_sha256,
        }
        for version in found
    ]
    show_rows("versions", rows, output)


def _show(filters: Mapping[str, Any], limit: int, output: Format) -> None:
    asked = {
        **filters,
        "metadata": json_object(filters["metadata"]),
        "created_after": _utc(filters["created_after"]),
        "created_before": _utc(filters["created_before"]),
    }
    with tenant_desk() as desk:
        # A page is not larger than what is wanted; all that is wanted may be several pages.
        documents = desk.api.list_documents(desk.client_id, limit=min(limit, 200), **asked)
        found = list(islice(documents, limit))
    show_rows("documents", [_row(document) for document in found], output)


def _row(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "name": document.original_name,
        "mime_type": document.mime_type,
        "version": document.current_version,
        "size": document.size,
        "updated_at": document.updated_at,
        "deleted_at": document.deleted_at,
    }


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment

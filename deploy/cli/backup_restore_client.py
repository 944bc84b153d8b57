"""`docshard backup restore-client`: one client as it was, beside the one that lives."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from deploy.backups.installation import find_installation
from deploy.backups.tool import Tool
from deploy.cli.backup_beside import Wanted, served_beside
from deploy.cli.backup_orders import chosen_backup, moments, time_of
from deploy.cli.backup_programs import find_programs
from deploy.cli.backup_progress import SHOWN
from deploy.cli.folders import GOES_ON, beside_option, into_option, writing_into
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_json,
    show_rows,
    show_steps,
)
from deploy.cli.reach import with_reach
from deploy.cli.service import run_told, service_settings, with_data
from deploy.cli.telling import Telling
from deploy.errors import Exit, Refused, UsageFault
from deploy.local.restoring import Restored
from services.fleet.clients import Client
from services.fleet.portability.export import Exported, export_client
from services.fleet.portability.export import Order as ExportOrder
from services.fleet.portability.reach import Reach
from services.fleet.side_restore import put_back as putting
from services.fleet.side_restore.comparison import Comparison, compare
from services.fleet.side_restore.contents import Contents
from services.fleet.side_restore.past import (
    Past,
    PastSource,
    home_at,
    open_past,
    restorable_client,
)
from services.fleet.side_restore.present import Side, make_present
from services.fleet.side_restore.put_back import PutBack
from services.resources import Data
from services.settings import Settings


@dataclass(frozen=True)
class _Wish:
    """What was asked for: an export into a folder, putting back, or neither: a comparison."""

    to: str
    into: Path | None
    put_back: bool
    reason: str | None


@dataclass(frozen=True)
class _Found:
    """What came of it."""

    comparison: Comparison | None = None
    done: PutBack | None = None
    exported: Exported | None = None


@click.command("restore-client")
@click.argument("name", metavar="CLIENT")
@click.option("--to", "to", required=True, metavar="TIME|POINT|latest", help="As of when.")
@click.option("--shard", help="Where it lived then; found by its moves unless told.")
@into_option("Export it there: a folder that is made, or one of an export of it.", required=False)
@click.option("--put-back", is_flag=True, help="Put back what is missing or was changed.")
@beside_option("An empty folder for the restored server, which stays; one that goes unless told.")
@click.option("--repo", type=click.IntRange(1, 2), help="From this repository alone.")
@dry_run_option
@reason_option
@output_option
@click.pass_context
def restore_client(
    ctx: click.Context,
    /,
    *,
    name: str,
    to: str,
    shard: str | None,
    into: Path | None,
    put_back: bool,
    named: Path | None,
    repo: int | None,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Restore a client's shard beside what lives, and compare the client with what it was.

    Without more it tells what is missing now or was changed since. --into makes an export of
    what it was, for `docshard client verify` and `import`. --put-back brings deleted and purged
    documents and lost rows back, and old contents as new versions; what is newer stays, neighbours
    notice nothing. Exit status 6 when something was left.
    """
    if into is not None and put_back:
        raise UsageFault("Either --into or --put-back.", "", "Run the command twice.")
    settings = service_settings()
    tool = Tool(find_installation(settings.backup))
    wish = _Wish(to, into, put_back, reason)
    at = time_of(settings, to)
    client, home = with_data(partial(_client, name=name, at=at))
    _demand_living(client, wish)
    cluster = tool.installation.any_of(shard or home).cluster
    moment = moments(settings, [cluster], to)[cluster]
    backup = chosen_backup(tool, cluster, moment, repo)
    programs = find_programs()
    if dry_run:
        show_steps(_steps(client, cluster, backup.label, wish))
        return
    with served_beside(tool, Wanted(backup, moment, programs, named)) as (_, restored):
        side = Side(restored.cluster, restored.data, restored.port)
        if before := run_told(make_present(settings, side)):
            SHOWN.say(f"{cluster}: its schema of then, {before}, is migrated to this code's")
        found = with_reach(partial(_work, client=client, restored=restored, at=at, wish=wish))
    _show(client, restored, found, output)
    ctx.exit(Exit.FINDINGS if _leaves(found) else Exit.OK)


async def _client(data: Data, *, name: str, at: datetime) -> tuple[Client, str]:
    client = await restorable_client(data, name)
    return client, await home_at(data, client.id, at, client.shard)


def _demand_living(client: Client, wish: _Wish) -> None:
    if wish.put_back and client.deleted_at is not None:
        raise Refused(
            f"{client.code} is deleted.",
            "Nothing is put back into a client that nobody can reach.",
            f"`docshard client restore {client.id}` first, or export it with --into.",
        )


def _steps(client: Client, cluster: str, label: str, wish: _Wish) -> list[str]:
    steps = [
        f"restore {cluster} from {label} into a folder beside what lives, to {wish.to}",
        "start it on a free loopback port, and bring its schema to this code's",
        f"read {client.code} ({client.id}) there",
    ]
    if wish.into is not None:
        return [*steps, f"export what it was into {wish.into}", "stop and remove the server"]
    steps.append(f"compare it, row by row, with {client.code} as it is")
    if wish.put_back:
        steps += [
            "bring contents that are gone from the bucket back from its versions or copies",
            f"in one transaction behind the lock of {client.code} alone: insert what is missing,"
            " take deletions back, append old contents as new versions, each with its audit row",
        ]
    return [*steps, "stop and remove the server"]


async def _work(
    reach: Reach,
    settings: Settings,
    *,
    client: Client,
    restored: Restored,
    at: datetime,
    wish: _Wish,
) -> _Found:
    progress = Telling().progress
    contents = Contents(reach.blobs, reach.copies)
    async with open_past(settings, restored.cluster, restored.port, at) as past:
        if wish.into is not None:
            source = PastSource(past, contents)
            order = ExportOrder(client, wish.into, wish.reason, source)
            with writing_into(wish.into, GOES_ON):
                return _Found(exported=await export_client(reach, order, progress))
        return await _compared(reach, contents, past, client, wish)


async def _compared(
    reach: Reach, contents: Contents, past: Past, client: Client, wish: _Wish
) -> _Found:
    progress = Telling().progress
    # Its rows lie there for as long as the command runs, for nobody else to read.
    with tempfile.TemporaryDirectory(prefix="docshard-client-") as folder:
        found = await compare(reach, past, client.id, Path(folder), progress)
        if not wish.put_back:
            return _Found(found)
        told = {"code": client.code, "to": wish.to, "shard": past.shard}
        order = putting.Order(client.id, wish.reason, told)
        return _Found(found, await putting.put_back(reach, contents, order, found, progress))


def _leaves(found: _Found) -> bool:
    if found.exported is not None:
        return bool(found.exported.faults)
    torn = found.comparison is not None and bool(found.comparison.torn)
    return torn or (found.done is not None and bool(found.done.left))


def _show(client: Client, restored: Restored, found: _Found, output: Format) -> None:
    if output is Format.JSON:
        show_json({"client_id": client.id, "code": client.code} | _document(restored, found))
        return
    if found.exported is not None:
        manifest = found.exported.manifest
        click.echo(f"{manifest.rows} rows and {manifest.blobs} blobs of {manifest.snapshot_at}")
        click.echo("It is SECRET: nothing in it is encrypted.", err=True)
        return
    if found.comparison is not None:
        show_rows("tables", [asdict(one) for one in found.comparison.tables], output)
        for line in _words(found.comparison, found.done):
            click.echo(line)


def _document(restored: Restored, found: _Found) -> dict[str, Any]:
    told: dict[str, Any] = {"restored": asdict(restored), "told_at": datetime.now(UTC)}
    if found.exported is not None:
        told["export"] = {"manifest_sha256": found.exported.manifest_sha256}
    if found.comparison is not None:
        one = found.comparison
        told["tables"] = [asdict(table) for table in one.tables]
        told["documents"] = {wish.value: count for wish, count in one.documents.items()}
        told["torn"] = one.torn
    if found.done is not None:
        brought = {wish.value: count for wish, count in found.done.documents.items()}
        told["put_back"] = {
            "rows": found.done.rows,
            "documents": brought,
            "left": found.done.left,
        }
    return told


def _words(found: Comparison, done: PutBack | None) -> list[str]:
    changes = ", ".join(f"{count} {wish.value}" for wish, count in found.documents.items())
    lines = ["", f"documents that are there, to bring back: {changes}", *found.torn]
    if done is None:
        return [*lines, "`--put-back` puts back what is missing and what was changed"]
    rows = ", ".join(f"{count} {table}" for table, count in done.rows.items() if count)
    changes = ", ".join(f"{count} {wish.value}" for wish, count in done.documents.items())
    lines += [f"put back: {rows or 'no rows'}; documents: {changes}"]
    return lines + [f"left: document {document}: {why}" for document, why in done.left.items()]

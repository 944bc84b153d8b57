"""`docshard client export|verify|import`: a whole client in a folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson

from deploy.cli.folders import into_option, writing_into
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_one,
    show_steps,
)
from deploy.cli.service import run_told, service_settings
from deploy.cli.telling import Telling
from deploy.errors import Exit, NotFound
from services.fleet.clients import living_or_deleted
from services.fleet.portability import certificate
from services.fleet.portability.arrival import ImportOrder, import_client
from services.fleet.portability.certificate import NotACertificate
from services.fleet.portability.export import Exported, Order, export_client
from services.fleet.portability.layout import Manifest, NotAnExport
from services.fleet.portability.reach import Reach, open_reach
from services.fleet.portability.verify import Checked, check
from services.fleet.units import size
from services.settings import Settings

T = TypeVar("T")


def with_reach(work: Callable[[Reach, Settings], Awaitable[T]]) -> T:
    """Run work that reaches the rows of all tenants, keys and blobs.

    Raises:
        OperatorError: what the services refused, in words for an operator.
    """

    async def run() -> T:
        settings = service_settings()
        async with open_reach(settings) as reach:
            return await work(reach, settings)

    try:
        return run_told(run())
    except NotAnExport as error:
        raise NotFound(str(error)) from error


@click.command()
@click.argument("name", metavar="CLIENT")
@into_option("A folder that is made, or one where an export of this client was interrupted.")
@dry_run_option
@reason_option
@output_option
@click.pass_context
def export(
    ctx: click.Context,
    *,
    name: str,
    into: Path,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Copy a whole client, living or deleted, into a folder that proves itself.

    What is in it is NOT encrypted: guard it as you guard the databases. Exit status 6 when the
    client's audit log was not sound already.
    """

    async def work(reach: Reach, _: Settings) -> Exported:
        client = await living_or_deleted(reach.data, name)
        if dry_run:
            show_steps(_export_steps(client.code, into))
            ctx.exit()
        return await export_client(reach, Order(client, into, reason), Telling().progress)

    with writing_into(into, "Make room, and run it again: it goes on. Or name another folder."):
        done = with_reach(work)
    for fault in done.faults:
        click.echo(f"NOT SOUND: {fault}", err=True)
    click.echo(f"`docshard client verify {into}` checks it anywhere", err=True)
    click.echo("It is SECRET: nothing in it is encrypted.", err=True)
    show_one("export", _told(done.manifest, done.manifest_sha256, output), output)
    ctx.exit(Exit.FINDINGS if done.faults else Exit.OK)


def _export_steps(code: str, folder: Path) -> list[str]:
    return [
        f"read every row of {code} in one snapshot of its shard, into {folder}/tables",
        "write its people and the names of its API keys, without secrets",
        "fetch each content and each archived month, checked by SHA-256",
        "prove the audit log and sign its end; write the manifest",
        "note the export in the global audit log",
    ]


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--public-key", metavar="HEX", help="The key you know to be the fleet's.")
@output_option
@click.pass_context
def verify(ctx: click.Context, *, path: Path, public_key: str | None, output: Format) -> None:
    """Check an export (a folder) or an erasure's certificate (a file); needs no database.

    Exit status 6 when it is not what was written.
    """
    try:
        known = None if public_key is None else bytes.fromhex(public_key)
    except ValueError as error:
        raise click.BadParameter(f"the public key is not hexadecimal: {error}") from error
    try:
        if path.is_file():
            faults = certificate.faults(_loaded(path), known)
            show_one("certificate", {"ok": not faults, "findings": faults}, output)
        else:
            checked = check(path, known)
            faults = checked.faults
            show_one("export", _checked(checked, output), output)
    except (NotAnExport, NotACertificate) as error:
        raise NotFound(str(error)) from error
    ctx.exit(Exit.FINDINGS if faults else Exit.OK)


def _loaded(path: Path) -> dict[str, Any]:
    try:
        told = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise NotACertificate(f"{path} cannot be read: {error}") from error
    # As `erase -o json` writes it, or the certificate by itself.
    found = told.get("certificate", told) if isinstance(told, dict) else {}
    return found if isinstance(found, dict) else {}


@click.command("import")
@click.argument("folder", metavar="PATH", type=click.Path(path_type=Path, exists=True))
@click.option("--code", help="The client's code here; as exported unless told.")
@dry_run_option
@reason_option
@output_option
def import_(
    *, folder: Path, code: str | None, dry_run: bool, reason: str | None, output: Format
) -> None:
    """Take a client into this fleet out of an export: same id, same rows, same bytes.

    It ends suspended: give people roles and make keys, then `docshard client activate` it.
    Interrupted, run it again.
    """
    if dry_run:
        show_steps(_import_steps(folder, code))
        return
    order = ImportOrder(folder, code, reason)
    client = with_reach(lambda reach, _: import_client(reach, order, Telling().progress))
    click.echo(f"{client.code} lives on {client.shard}, {client.status}", err=True)
    show_one("client", asdict(client), output)


def _import_steps(folder: Path, code: str | None) -> list[str]:
    try:
        manifest = Manifest.read(folder)
    except NotAnExport as error:
        raise NotFound(str(error)) from error
    name = code or manifest.client["code"]
    return [
        f"verify {folder} to its last byte",
        f"admit {name} ({manifest.client_id}), suspended, where the ring wants it",
        f"write {manifest.rows} rows while the shard lets nobody enter",
        f"put {manifest.blobs} blobs, {size(manifest.blob_bytes)}, into the bucket",
        "read all rows again and compare their digests with the manifest's",
        "open it, and note the import in the global audit log",
    ]


def _told(manifest: Manifest, digest: str, output: Format) -> dict[str, Any]:
    amount = manifest.blob_bytes if output is Format.JSON else size(manifest.blob_bytes)
    return {
        "client_id": manifest.client_id,
        "code": manifest.client["code"],
        "snapshot_at": manifest.snapshot_at,
        "rows": manifest.rows,
        "blobs": manifest.blobs,
        "bytes": amount,
        "audit_seq": manifest.audit_seq,
        "public_key": manifest.heads[-1].public_key if manifest.heads else None,
        "manifest_sha256": digest,
    }


def _checked(checked: Checked, output: Format) -> dict[str, Any]:
    return {
        "ok": not checked.faults,
        **_told(checked.manifest, checked.manifest_sha256, output),
        "findings": checked.faults[:100],
    }

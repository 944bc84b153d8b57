"""`docshard audit list|verify|export`: what was done, whether it can be believed, and a copy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click

from deploy.cli.folders import into_option, writing_into
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_one,
    show_rows,
    show_steps,
)
from deploy.cli.service import open_databases, run_told, service_settings, with_data
from deploy.errors import Exit, NotFound, Refused
from services.chain import bundle
from services.fleet import audit_chains
from services.fleet.audit_chains import (
    GLOBAL_CHAIN,
    AuditFilter,
    Copy,
    Extent,
    GlobalAuditFilter,
    Verified,
)
from services.fleet.clients import living_or_deleted
from services.keys.keyring import Keyring
from services.keys.providers import open_keyring
from services.resources import Data

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])


class _Instant(click.ParamType[datetime]):
    name = "TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value} is no time such as 2026-01-31 or 2026-01-31T12:00:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _times(command: Command) -> Command:
    until = click.option("--to", "until", type=_Instant(), help="Before this time (UTC).")
    return click.option("--from", "since", type=_Instant(), help="From this time on (UTC).")(
        until(command)
    )


_CLIENT = click.option("--client", metavar="CLIENT", help="A client's log, by its id or code.")
_GLOBAL = click.option("--global", "of_global", is_flag=True, help="The global log.")


@click.command("list")
@_CLIENT
@_GLOBAL
@click.option("--user", "user_id", type=click.UUID, help="Only what this user did.")
@click.option("--action", help="Only this action, such as document.update.")
@click.option("--entity-type", help="Only entities of this type.")
@click.option("--entity", "entity_id", type=click.UUID, help="Only this entity.")
@_times
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@output_option
def list_entries(
    *, client: str | None, of_global: bool, limit: int, output: Format, **wanted: Any
) -> None:
    """Show entries, newest first."""
    _one_of(client, of_global)
    show_rows("entries", with_data(partial(_entries, client, wanted, limit)), output)


async def _entries(
    client: str | None, wanted: dict[str, Any], limit: int, data: Data
) -> list[dict[str, Any]]:
    if client is None:
        rows = await audit_chains.newest_global(data, GlobalAuditFilter(**wanted), limit)
        return [asdict(row) for row in rows]
    found = await living_or_deleted(data, client)
    return [
        asdict(row)
        for row in await audit_chains.newest(data, found.id, AuditFilter(**wanted), limit)
    ]


@click.command()
@_CLIENT
@_GLOBAL
@click.option(
    "--all", "everything", is_flag=True, help="The global log and every client's, deleted ones too."
)
@click.option(
    "--export",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder that `docshard audit export` made; needs no database.",
)
@click.option("--public-key", metavar="HEX", help="With --export: the key you know to be ours.")
@_times
@output_option
@click.pass_context
def verify(
    ctx: click.Context,
    *,
    client: str | None,
    of_global: bool,
    everything: bool,
    folder: Path | None,
    public_key: str | None,
    since: datetime | None,
    until: datetime | None,
    output: Format,
) -> None:
    """Check every row against the chain, and the chain against its signed heads.

    Exit status 6 when something was changed, removed, inserted or reordered; the first bad seq is
    named.
    """
    _one_of(client, of_global, everything, folder)
    if folder is not None:
        ctx.exit(_verify_export(folder, public_key, output))
    extent = Extent(since, until)
    found = _with_keyring(partial(_verify, client, everything, extent))
    show_rows("chains", [_row(one) for one in found], output)
    ctx.exit(Exit.OK if all(one.ok for one in found) else Exit.FINDINGS)


async def _verify(
    client: str | None, everything: bool, extent: Extent, data: Data, keyring: Keyring
) -> list[Verified]:
    if everything:
        found = []
        async for one in audit_chains.verify_all(data, keyring, extent):
            click.echo(f"{one.name}: {_told(one)}", err=True)
            found.append(one)
        return found
    name, client_id = await _chain(data, client)
    return [await audit_chains.verify(data, keyring, name, client_id, extent)]


def _told(one: Verified) -> str:
    if one.report is None:
        return f"not verified: {one.error}"
    return "ok" if one.ok else f"NOT OK from seq {one.report.first_bad_seq}"


def _row(one: Verified) -> dict[str, Any]:
    report, head = one.report, one.report.head if one.report else None
    return {
        "chain": one.name,
        "ok": one.ok,
        "first_bad_seq": report.first_bad_seq if report else None,
        "checked": report.checked if report else 0,
        "head": report.tip.seq if report and report.tip else None,
        "signed": head.seq if head else None,
        "signed_at": head.signed_at if head else None,
        "findings": [f"{finding.seq} {finding.fault.value}" for finding in report.findings[:100]]
        if report
        else [one.error],
    }


def _verify_export(folder: Path, public_key: str | None, output: Format) -> Exit:
    try:
        known = None if public_key is None else bytes.fromhex(public_key)
        found = bundle.check(folder, known)
    except ValueError as error:
        raise click.BadParameter(f"the public key is not hexadecimal: {error}") from error
    except bundle.NotABundle as error:
        raise NotFound(str(error)) from error
    seqs = [one.seq for one in found.faults if one.seq is not None]
    fields = {
        "ok": not found.faults,
        "client_id": found.manifest.get("client_id"),
        "rows": found.rows,
        "first_bad_seq": min(seqs, default=None),
        "public_key": found.manifest.get("head", {}).get("public_key"),
        "findings": [f"{one.seq or '-'} {one.fault}" for one in found.faults[:100]],
    }
    show_one("export", fields, output)
    return Exit.FINDINGS if found.faults else Exit.OK


@click.command()
@_CLIENT
@_GLOBAL
@into_option("A folder that is empty, or is made.")
@_times
@dry_run_option
@reason_option
@output_option
def export(
    *,
    client: str | None,
    of_global: bool,
    into: Path,
    since: datetime | None,
    until: datetime | None,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Copy a log into a folder, with a manifest, so that it verifies without a database.

    It ends at a signed head: a little more may be in it than was asked for.
    """
    _one_of(client, of_global)
    if dry_run:
        steps = [f"read the chain in order and check every row, into {into}/{bundle.LINES}"]
        show_steps([*steps, f"write the signed head and counts into {into}/{bundle.MANIFEST}"])
        return

    async def work(data: Data, keyring: Keyring) -> dict[str, Any]:
        _, client_id = await _chain(data, client)
        copy = Copy(client_id, Extent(since, until), into, reason)
        return await audit_chains.export_chain(data, keyring, copy)

    with writing_into(into, "Make room, and name a new folder."):
        if into.exists() and any(into.iterdir()):
            raise Refused(f"{into} is not empty.", "Nothing was written.", "Name a new folder.")
        into.mkdir(parents=True, exist_ok=True)
        manifest = _with_keyring(work)
    click.echo(f"`docshard audit verify --export {into}` checks it anywhere", err=True)
    show_one("manifest", manifest, output)


async def _chain(data: Data, client: str | None) -> tuple[str, UUID]:
    if client is None:
        return "global", GLOBAL_CHAIN
    found = await living_or_deleted(data, client)
    return found.code, found.id


def _one_of(*choices: object) -> None:
    if sum(1 for choice in choices if choice) != 1:
        raise click.UsageError("Say whose log, once: see --help.")


def _with_keyring(work: Callable[[Data, Keyring], Awaitable[T]]) -> T:
    """Run work on the databases as the administrator, with the data keys at hand."""

    async def run() -> T:
        settings = service_settings()
        async with (
            open_databases(settings) as data,
            open_keyring(settings, data.global_db) as keyring,
        ):
            await data.registry.refresh()
            return await work(data, keyring)

    return run_told(run())

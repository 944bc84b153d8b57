"""`docshard client erase`: a deleted client, for good."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import orjson

from deploy.cli.client_whole import with_reach
from deploy.cli.output import Format, dry_run_option, output_option, show_json, show_steps
from deploy.cli.telling import Telling
from deploy.errors import Exit, Refused, UsageFault
from services.errors import NotFound
from services.fleet.clients import deleted_named
from services.fleet.portability.erasure import Erased, ErasureOrder, erase_client, found_erasure
from services.fleet.portability.reach import Reach
from services.fleet.shards import as_id
from services.settings import Settings


@click.command()
@click.argument("name", metavar="CLIENT")
@click.option("--confirm", metavar="CODE", help="The client's code, instead of being asked for it.")
@click.option("--reason", help="Why; written into the audit log and the certificate.")
@click.option(
    "--certificate",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the certificate into this file, too.",
)
@dry_run_option
@output_option
@click.pass_context
def erase(
    ctx: click.Context,
    *,
    name: str,
    confirm: str | None,
    reason: str | None,
    path: Path | None,
    dry_run: bool,
    output: Format,
) -> None:
    """Erase a deleted client: every row on every shard, every version of every object.

    Nothing brings it back. Killed or interrupted, the same command goes on; erased already, it
    shows the certificate again (CLIENT is the id then). Exit status 6 when an address to upload to
    is still good: all is removed, and the same command, later, signs.
    """

    async def work(reach: Reach, settings: Settings) -> Erased:
        client_id = await _confirmed(reach, name, confirm, dry_run=dry_run)
        if client_id is None:
            ctx.exit()
        order = ErasureOrder(
            client_id, reason or "", _addresses_live(settings), settings.backup.oldest_days
        )
        return await erase_client(reach, order, Telling().progress)

    done = with_reach(work)
    if done.certificate is None:
        click.echo(
            f"All is removed. Addresses to upload to that were given out before the deletion are "
            f"good until {done.again_at:%Y-%m-%d %H:%M} UTC: run the same command again then, for "
            "the certificate.",
            err=True,
        )
        ctx.exit(Exit.FINDINGS)
    _show(done.certificate, path, output)


async def _confirmed(reach: Reach, name: str, confirm: str | None, *, dry_run: bool) -> UUID | None:
    """Whom to erase; None after a dry run. What has ended asks for nothing any more.

    Raises:
        Refused, NotFound.
    """
    known = as_id(name)
    ended = None if known is None else await found_erasure(reach, known)
    if known is not None and ended is not None and ended.certificate is not None:
        return known
    try:
        found = await deleted_named(reach.data, name)
    except NotFound as error:
        raise Refused(
            f"There is no deleted client {name}.",
            "Only a client that was deleted is erased; nothing was changed.",
            f"`docshard client delete {name}` first.",
        ) from error
    if dry_run:
        show_steps(_steps(found.code, found.id, [one.name for one in reach.data.registry.shards()]))
        return None
    typed = confirm or click.prompt(f"Type the client's code to ERASE {found.name}", err=True)
    if typed not in (found.code, str(found.id)):
        raise Refused(f"{typed} is not {found.code}.", "Nothing was erased.")
    return found.id


def _steps(code: str, client_id: UUID, shards: list[str]) -> list[str]:
    return [
        f"record that {code} ({client_id}) is being erased: from here on nothing brings it back",
        f"shut it on {', '.join(shards)}, behind the last writer",
        "count what there is",
        f"remove every version of every object {client_id}/* and audit-archive/{client_id}/*",
        f"remove its rows from {', '.join(shards)}, what moves left there too",
        "look everywhere again",
        "remove its keys, roles and directory row; sign and store the certificate",
    ]


def _addresses_live(settings: Settings) -> timedelta:
    """So long after the deletion an upload may arrive: an address's life, and how long a router
    that cannot ask anybody believes that the client lives."""
    hours, doubt = settings.limits.upload_hours, settings.timing.outage_seconds
    return timedelta(hours=hours, seconds=doubt)


def _show(certificate: dict[str, Any], path: Path | None, output: Format) -> None:
    if path is not None:
        try:
            path.write_bytes(orjson.dumps(certificate, option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise UsageFault(f"{path} cannot be written: {error.strerror}.") from error
        click.echo(f"`docshard client verify {path}` checks it anywhere", err=True)
    if output is Format.JSON:
        show_json({"certificate": certificate})
        return
    said = certificate["statement"]
    rows = sum(sum(tables.values()) for tables in said["erased"]["rows_by_shard"].values())
    click.echo(f"erased      {said['client_id']} at {said['erased_at']}")
    click.echo(f"rows        {rows} on {', '.join(said['looked_at']['shards'])}")
    click.echo(f"objects     {said['erased']['contents'].get('versions', 0)} versions")
    click.echo(f"backups     hold it until {said['backups']['hold_it_until']}")
    click.echo(f"public key  {certificate['signature']['public_key']}")

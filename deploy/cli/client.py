"""`docshard client …`: tenants and where they live; what changes them is in `client_changes`."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import click

from deploy.cli import client_changes, client_erase, client_quota, client_top, client_whole
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_one,
    show_rows,
    show_steps,
)
from deploy.cli.service import with_data
from services.administration.clients import Client, ClientFilter
from services.fleet import quotas
from services.fleet import shards as fleet
from services.fleet.shards import Located
from services.resources import Data


@click.group()
def client() -> None:
    """Look at clients (tenants), change them, hold them where they are.

    CLIENT is an id or a code.
    """


for _command in (
    *client_changes.COMMANDS,
    client_quota.quota,
    client_top.top,
    client_whole.export,
    client_whole.verify,
    client_whole.import_,
    client_erase.erase,
):
    client.add_command(_command)


@client.command("list")
@click.option("--status", help="Only clients of this status.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@output_option
def list_clients(status: str | None, limit: int, output: Format) -> None:
    """Show living clients, newest first."""

    async def ask(data: Data) -> list[Client]:
        return await fleet.list_clients(data, ClientFilter(status=status), None, limit)

    show_rows("clients", [_row(one) for one in with_data(ask)], output)


@client.command()
@click.argument("name", metavar="CLIENT")
@output_option
def show(name: str, output: Format) -> None:
    """Show one client, with its limits."""
    found = with_data(partial(fleet.client_named, name=name))
    limits = with_data(partial(quotas.of_client, name=name))
    show_one("client", asdict(found) | asdict(limits), output)


@client.command()
@click.argument("name", metavar="CLIENT")
@output_option
def locate(name: str, output: Format) -> None:
    """Show where a client lives: the directory's word, the shard's, and the ring's wish."""
    found = with_data(partial(fleet.locate, name=name))
    show_one("location", _location(found), output)


@client.command()
@click.argument("name", metavar="CLIENT")
@dry_run_option
@reason_option
def pin(name: str, dry_run: bool, reason: str | None) -> None:
    """Hold a client on the shard it lives on: no rebalance moves it."""
    _set_pin(name, pinned=True, dry_run=dry_run, reason=reason)


@client.command()
@click.argument("name", metavar="CLIENT")
@dry_run_option
@reason_option
def unpin(name: str, dry_run: bool, reason: str | None) -> None:
    """Let a client live where the ring wants it; nothing moves by this alone."""
    _set_pin(name, pinned=False, dry_run=dry_run, reason=reason)


def _set_pin(name: str, *, pinned: bool, dry_run: bool, reason: str | None) -> None:
    verb = "pin" if pinned else "unpin"
    if dry_run:
        found = with_data(partial(fleet.client_named, name=name))
        already = found.pinned == pinned
        show_steps([] if already else [f"{verb} {found.code} ({found.id}) on {found.shard}"])
        return
    found, changed = with_data(partial(fleet.set_pin, name=name, pinned=pinned, reason=reason))
    done = "is now" if changed else "was already"
    click.echo(f"{found.code} {done} {verb}ned on {found.shard}", err=True)


def _row(found: Client) -> dict[str, Any]:
    return {
        "id": found.id,
        "code": found.code,
        "name": found.name,
        "status": found.status,
        "shard": found.shard,
        "epoch": found.epoch,
        "pinned": found.pinned,
        "created_at": found.created_at,
    }


def _location(found: Located) -> dict[str, Any]:
    epoch_there, state = found.residency or (None, None)
    return {
        "client_id": found.client_id,
        "code": found.code,
        "shard": found.shard,
        "epoch": found.epoch,
        "state": state,
        "epoch_on_shard": epoch_there,
        "pinned": found.pinned,
        "wanted_by_ring": found.home,
    }

"""`docshard client create|activate|deactivate|suspend|delete|restore`."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any
from uuid import UUID

import click
import orjson

from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_one,
    show_steps,
)
from deploy.cli.service import with_data
from deploy.errors import Refused
from services.administration.clients import Client, NewClient
from services.fleet import clients
from services.fleet.shards import client_named

_MEANING = {
    "active": "its people and keys read and write again",
    "inactive": "its people and keys only read, writes get 403 client_inactive",
    "suspended": "every call of its people and keys gets 403 client_suspended",
}
_NAME = click.argument("name", metavar="CLIENT")


def _object(ctx: click.Context, parameter: click.Parameter, text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise click.BadParameter(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise click.BadParameter("must be a JSON object")
    return value


@click.command()
@click.argument("code")
@click.option("--name", help="What people call it; the code unless told.")
@click.option(
    "--metadata", callback=_object, default="{}", show_default=True, help="A JSON object."
)
@click.option("--managed-by", type=click.UUID, help="The id of the user who looks after it.")
@dry_run_option
@reason_option
@output_option
def create(
    code: str,
    *,
    name: str | None,
    metadata: dict[str, Any],
    managed_by: UUID | None,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Admit a client; the ring chooses its shard. CODE is unique among living clients."""
    if dry_run:
        show_steps([f"admit {code} on the shard that the ring proposes for its new id"])
        return
    new = NewClient(code, name or code, metadata, managed_by)
    made = with_data(partial(clients.admit, new=new, reason=reason))
    click.echo(f"{made.code} lives on {made.shard}", err=True)
    show_one("client", asdict(made), output)


def _status_command(verb: str, status: str, what: str) -> click.Command:
    @click.command(verb, help=what)
    @_NAME
    @dry_run_option
    @reason_option
    @output_option
    def change(name: str, dry_run: bool, reason: str | None, output: Format) -> None:
        _set_status(name, status, dry_run=dry_run, reason=reason, output=output)

    return change


activate = _status_command(
    "activate", "active", "Let a client's people and keys read and write again."
)
deactivate = _status_command("deactivate", "inactive", "Make a client read-only.")
suspend = _status_command(
    "suspend", "suspended", "Refuse every call of a client's people and keys; its data stays."
)


@click.command()
@_NAME
@click.option("--confirm", metavar="CODE", help="The client's code, instead of being asked for it.")
@dry_run_option
@reason_option
def delete(name: str, confirm: str | None, dry_run: bool, reason: str | None) -> None:
    """Delete a client softly: gone for its people and keys, `restore` brings it back."""
    found = with_data(partial(client_named, name=name))
    if dry_run:
        show_steps(
            [
                f"mark {found.code} ({found.id}) as deleted: code free, keys refused",
                f"keep its data on {found.shard} until it is restored or erased",
            ]
        )
        return
    typed = confirm or click.prompt(f"Type the client's code to delete {found.name}", err=True)
    if typed != found.code:
        raise Refused(f"{typed} is not {found.code}.", "Nothing was deleted.")
    with_data(partial(clients.delete, client_id=found.id, reason=reason))
    click.echo(
        f"{found.code} is deleted; `docshard client restore {found.id}` brings it back", err=True
    )


@click.command()
@_NAME
@dry_run_option
@reason_option
@output_option
def restore(name: str, dry_run: bool, reason: str | None, output: Format) -> None:
    """Bring a deleted client back, with its people, keys and data."""
    found = with_data(partial(clients.deleted_named, name=name))
    if dry_run:
        show_steps([f"restore {found.code} ({found.id}), deleted {found.deleted_at:%Y-%m-%d}"])
        return
    restored = with_data(partial(clients.restore, client_id=found.id, reason=reason))
    click.echo(f"{restored.code} is back, {restored.status}, on {restored.shard}", err=True)
    show_one("client", asdict(restored), output)


def _set_status(
    name: str, status: str, *, dry_run: bool, reason: str | None, output: Format
) -> None:
    if dry_run:
        show_steps(_status_steps(with_data(partial(client_named, name=name)), status))
        return
    change = partial(clients.set_status, name=name, status=status, reason=reason)
    before, after = with_data(change)
    was = "was already" if before.status == after.status else "is now"
    click.echo(f"{after.code} {was} {status}: {_MEANING[status]}", err=True)
    show_one("client", asdict(after), output)


def _status_steps(found: Client, status: str) -> list[str]:
    if found.status == status:
        return []
    change = f"set {found.code} ({found.id}) from {found.status} to {status}"
    return [change, f"within seconds: {_MEANING[status]}"]


COMMANDS = (create, activate, deactivate, suspend, delete, restore)

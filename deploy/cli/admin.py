"""`docshard init-admin`: the first administrator."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import click

from deploy.cli.output import dry_run_option, show_steps
from deploy.cli.service import run_told, service_settings
from deploy.errors import Refused, UsageFault
from services import errors
from services.access.first_admin import init_admin as make_admin
from services.resources import open_resources
from services.settings import DatabaseRole, Settings


@click.command("init-admin")
@click.argument("email")
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file whose first line is the password; without it you are asked.",
)
@dry_run_option
def init_admin(email: str, password_file: Path | None, dry_run: bool) -> None:
    """Make a user with the role admin on everything.

    The password is never an argument: other users of the machine could read it.
    """
    if dry_run:
        show_steps([f"make the user {email}", "grant the role admin on all clients"])
        return
    settings = service_settings()
    user_id = run_told(_make(settings, email, _password(password_file)))
    click.echo(f"{email} is an administrator now ({user_id})", err=True)


def _password(file: Path | None) -> str:
    if file is None:
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    lines = file.read_text().splitlines()
    if not lines or not lines[0]:
        raise UsageFault(f"{file} is empty.", "", "Its first line must be the password.")
    return lines[0]


async def _make(settings: Settings, email: str, password: str) -> UUID:
    async with open_resources(settings, DatabaseRole.ADMIN) as resources:
        try:
            return await make_admin(resources, email, password)
        except errors.EmailTaken as error:
            raise Refused(f"A user with the address {email} exists.", "", "") from error
        except errors.InvalidRequest as error:
            faults = "; ".join(f"{one.pointer} {one.message}" for one in error.errors)
            raise UsageFault(error.detail, faults) from error

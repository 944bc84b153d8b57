"""`docshard key rotate --jwt`: the key that signs access tokens."""

from __future__ import annotations

from uuid import UUID

import click

from deploy.cli.output import Format, show_json, show_steps
from deploy.cli.service import open_databases, run_told, service_settings, with_data
from services.fleet.jwt_rotation import look, rotate_jwt
from services.keys.providers import open_keyring


def show_jwt_plan(settle_seconds: float, output: Format) -> None:
    """Write what a rotation would do, in order."""
    steps = with_data(look).steps(settle_seconds)
    if output is Format.JSON:
        show_json({"steps": steps})
        return
    show_steps(steps)


def rotate_jwt_key(settle_seconds: float, reason: str | None, output: Format) -> None:
    """Rotate, and write which key signs now."""
    key_id = run_told(_rotate(settle_seconds, reason))
    if output is Format.JSON:
        show_json({"rotated": {"key_id": key_id}})
        return
    click.echo(f"key {key_id} signs access tokens; the old one verifies until theirs expire")


async def _rotate(settle_seconds: float, reason: str | None) -> UUID:
    settings = service_settings()
    async with open_databases(settings) as data, open_keyring(settings, data.global_db) as keyring:
        click.echo(f"everybody gets {settle_seconds:g} s to hear of the key", err=True)
        return await rotate_jwt(data, keyring, reason, settle_seconds)

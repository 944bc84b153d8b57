"""`docshard key rotate --jwt|--heads`: the keys that sign access tokens and heads of chains."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import click

from deploy.cli.output import Format, show_json, show_steps
from deploy.cli.service import open_databases, run_told, service_settings, with_data
from services.fleet.signing_rotation import Signing, look, rotate
from services.keys.providers import open_keyring


def show_signing_plan(signing: Signing, settle_seconds: float, output: Format) -> None:
    """Write what a rotation would do, in order."""
    steps = with_data(partial(look, signing=signing)).steps(settle_seconds)
    if output is Format.JSON:
        show_json({"steps": steps})
        return
    show_steps(steps)


def rotate_signing_key(
    signing: Signing, settle_seconds: float, reason: str | None, output: Format
) -> None:
    """Rotate, and write which key signs now."""
    key_id = run_told(_rotate(signing, settle_seconds, reason))
    if output is Format.JSON:
        show_json({"rotated": {"key_id": key_id}})
        return
    click.echo(f"key {key_id} signs {signing.what}; the old one verifies {signing.until}")


async def _rotate(signing: Signing, settle_seconds: float, reason: str | None) -> UUID:
    settings = service_settings()
    async with open_databases(settings) as data, open_keyring(settings, data.global_db) as keyring:
        click.echo(f"everybody gets {settle_seconds:g} s to hear of the key", err=True)
        return await rotate(data, keyring, signing, reason, settle_seconds)

"""`docshard key list|rotate`: the keys of the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_one,
    show_rows,
    show_steps,
)
from deploy.cli.service import run_told, service_settings, with_data
from deploy.errors import UsageFault
from services.access import signing_keys
from services.access.signing_keys import DataKey, Rotation
from services.resources import open_resources
from services.settings import DatabaseRole, Settings


@click.group()
def key() -> None:
    """Look at and change the keys of the service; secrets are never shown."""


@key.command("list")
@output_option
def list_keys(output: Format) -> None:
    """Show every key: what it is for, and whether it is in use."""
    now = datetime.now(UTC)
    show_rows("keys", [_row(one, now) for one in with_data(signing_keys.list_keys)], output)


@key.command()
@click.option("--jwt", is_flag=True, help="The key that signs access tokens.")
@dry_run_option
@reason_option
@output_option
def rotate(jwt: bool, dry_run: bool, reason: str | None, output: Format) -> None:
    """Make a new key and retire the old one, without downtime.

    The new key is published at once and signs two minutes later, when everybody knows it; the old
    one verifies until its last token has expired.
    """
    if not jwt:
        raise UsageFault("Nothing says which key.", "", "Name it: --jwt.")
    if dry_run:
        show_steps(_steps(with_data(signing_keys.plan_jwt_rotation)))
        return
    done = run_told(_rotate_jwt(service_settings(), reason))
    show_one(
        "rotation", {"old": done.old, "new": done.new, "switches_at": done.switches_at}, output
    )


async def _rotate_jwt(settings: Settings, reason: str | None) -> Rotation:
    async with open_resources(settings, DatabaseRole.ADMIN) as resources:
        return await signing_keys.rotate_jwt(resources, reason)


def _steps(planned: Rotation) -> list[str]:
    moment = planned.switches_at.isoformat(timespec="seconds")
    return [
        "make a key for access tokens, wrapped by the key provider, and publish it in the JWKS",
        f"retire {planned.old} at {moment}: from then on the new key signs",
        "go on verifying with the old key until the last token that it signed has expired",
    ]


def _row(found: DataKey, now: datetime) -> dict[str, Any]:
    return {
        "id": found.id,
        "purpose": found.purpose,
        "state": _state(found, now),
        "provider": found.provider,
        "created_at": found.created_at,
        "retired_at": found.retired_at,
    }


def _state(found: DataKey, now: datetime) -> str:
    if found.retired_at is None:
        return "active"
    return "retiring" if found.retired_at > now else "retired"

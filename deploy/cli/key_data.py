"""`docshard key list|rotate|rewrap`: data keys, and the fields that they seal."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import partial

import click

from deploy.cli.key_signing import rotate_signing_key, show_signing_plan
from deploy.cli.output import (
    Format,
    dry_run_option,
    output_option,
    reason_option,
    show_json,
    show_rows,
    show_steps,
)
from deploy.cli.service import open_databases, run_told, service_settings, with_data
from deploy.errors import Exit
from services.fleet import key_inventory
from services.fleet.key_inventory import Rewrap, Rewrapped
from services.fleet.key_rotation import SETTLE_SECONDS, Pace, Progress, Rotated, Rotation, look
from services.fleet.signing_rotation import SIGNINGS, Signing
from services.keys.providers import open_keyring, open_provider
from services.keys.rotation_plan import RotationPlan
from services.settings import KeyProviderName

_TELL_SECONDS = 1.0


@click.command("list")
@output_option
def list_keys(output: Format) -> None:
    """Show every data key: its purpose and state, who wraps it, how many values it seals."""
    show_rows("keys", [asdict(key) for key in with_data(key_inventory.list_keys)], output)


@click.command()
@click.option(
    "--data", "what", flag_value="data", required=True, help="The key of encrypted fields."
)
@click.option("--jwt", "what", flag_value="jwt", help="The key that signs access tokens.")
@click.option(
    "--heads", "what", flag_value="heads", help="The key that signs heads of audit chains."
)
@click.option("--anew", is_flag=True, help="Make a new key though values of an older one are left.")
@click.option(
    "--batch",
    type=click.IntRange(1, 10_000),
    default=500,
    show_default=True,
    help="Values in one transaction.",
)
@click.option(
    "--settle",
    type=click.FloatRange(0),
    show_default=f"{SETTLE_SECONDS:g}, with --jwt {SIGNINGS['jwt'].settle_seconds:g}",
    help="Seconds after which everybody has surely heard of a key.",
)
@dry_run_option
@reason_option
@output_option
@click.pass_context
def rotate(
    ctx: click.Context,
    *,
    what: str,
    anew: bool,
    batch: int,
    settle: float | None,
    dry_run: bool,
    reason: str | None,
    output: Format,
) -> None:
    """Make a new key, use it, and encrypt with it what older keys have sealed.

    With --jwt the new key signs access tokens, and the old one verifies until theirs have expired;
    with --heads it signs heads of audit chains, and the old one verifies what it signed, for ever.

    The service goes on meanwhile. Interrupted, it goes on when it is run again. Exit status 6 when
    values were found that do not open.
    """
    if what in SIGNINGS:
        _rotate_signing(SIGNINGS[what], settle, dry_run, reason, output)
        return
    seconds = SETTLE_SECONDS if settle is None else settle
    if dry_run:
        _show_plan(with_data(partial(look, anew=anew)), seconds, output)
        return
    rotated = run_told(_rotate(Pace(batch, seconds), anew, reason))
    _show_rotated(rotated, output)
    ctx.exit(Exit.FINDINGS if rotated.broken else Exit.OK)


@click.command()
@click.option(
    "--from",
    "source",
    type=click.Choice([name.value for name in KeyProviderName]),
    help="Who wraps the keys at present; without it, the configured provider itself.",
)
@dry_run_option
@reason_option
@output_option
def rewrap(source: str | None, dry_run: bool, reason: str | None, output: Format) -> None:
    """Wrap every data key anew by the configured provider.

    For a change of provider (the settings of both must be there), and after a provider's own key
    was rotated. The data keys stay the same, so nothing has to be encrypted anew.
    """
    provider = None if source is None else KeyProviderName(source)
    if dry_run:
        show_steps(run_told(_rewrap_steps(provider)))
        return
    rewrapped = run_told(_rewrap(provider, reason))
    show_rows("rewrapped", [{"id": key_id} for key_id in rewrapped.done], output)
    for key_id in rewrapped.overtaken:
        click.echo(f"{key_id} was changed by somebody else meanwhile: run again", err=True)


def _rotate_signing(
    signing: Signing, settle: float | None, dry_run: bool, reason: str | None, output: Format
) -> None:
    seconds = signing.settle_seconds if settle is None else settle
    if dry_run:
        show_signing_plan(signing, seconds, output)
    else:
        rotate_signing_key(signing, seconds, reason, output)


async def _rotate(pace: Pace, anew: bool, reason: str | None) -> Rotated:
    settings = service_settings()
    async with open_databases(settings) as data, open_keyring(settings, data.global_db) as keyring:
        click.echo(f"every process gets {pace.settle_seconds:g} s to hear of a key", err=True)
        return await Rotation(data, keyring, pace, reason, _Teller().tell).run(anew=anew)


async def _rewrap_steps(source: KeyProviderName | None) -> list[str]:
    settings = service_settings()
    target = settings.chosen_key_provider()
    async with open_databases(settings) as data:
        keys = await key_inventory.wrapped_by(data, source or target)
    return [
        f"unwrap key {key.id} ({key.purpose}) by {key.provider}, wrap it by {target}"
        for key in keys
    ]


async def _rewrap(source: KeyProviderName | None, reason: str | None) -> Rewrapped:
    settings = service_settings()
    with open_provider(settings, source) as old, open_provider(settings) as new:
        async with open_databases(settings) as data:
            return await key_inventory.rewrap(data, Rewrap(old, new, reason))


def _show_plan(plan: RotationPlan, settle_seconds: float, output: Format) -> None:
    counts = [
        {"key": key_id, "in_use": key_id == plan.in_use, "values": values}
        for key_id, values in plan.sealed.items()
    ]
    if plan.unknown:
        counts.append({"key": "unknown", "in_use": False, "values": plan.unknown})
    steps = plan.steps(settle_seconds)
    if output is Format.JSON:
        show_json({"sealed": counts, "steps": steps})
        return
    show_rows("sealed", counts, output)
    show_steps(steps)


def _show_rotated(rotated: Rotated, output: Format) -> None:
    if output is Format.JSON:
        show_json({"rotated": asdict(rotated)})
        return
    click.echo(f"key {rotated.key_id} is in use; {rotated.resealed} values were encrypted anew")
    for value in rotated.broken:
        click.secho(f"{value.column} of {value.row_id}: {value.reason}", fg="red", err=True)


@dataclass
class _Teller:
    """Tells the progress on standard error, at most once a second."""

    started: float | None = None
    told: float = float("-inf")

    def tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if self.started is None:
            self.started = now
        if now - self.told >= _TELL_SECONDS:
            self.told = now
            click.echo(progress_line(progress, now - self.started), err=True)


def progress_line(progress: Progress, seconds: float) -> str:
    """The progress as a line, with its rate, and with what is left when that can be known."""
    rate = progress.resealed / seconds if seconds > 0 else 0.0
    left = max(progress.total - progress.resealed - progress.overtaken, 0)
    eta = f"about {left / rate:.0f} s left" if rate > 0 else "time left unknown"
    return f"{progress.resealed} of {progress.total} values, {rate:.0f}/s, {eta}"

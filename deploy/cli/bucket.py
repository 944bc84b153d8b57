"""`docshard bucket prepare`: the buckets that the settings name."""

from __future__ import annotations

import click

from deploy.cli.output import Format, dry_run_option, output_option, show_rows, show_steps
from deploy.cli.service import run_told, service_settings
from deploy.errors import Exit
from services.blobs.bucket_setup import BUCKET, Outcome, Step
from services.fleet import buckets


@click.group()
def bucket() -> None:
    """Make the buckets of documents, of their copy and of backups what they should be."""


@bucket.command()
@dry_run_option
@output_option
@click.pass_context
def prepare(ctx: click.Context, dry_run: bool, output: Format) -> None:
    """Make each bucket unless it is there, and give it its settings; safe to repeat.

    Versions, encryption, no public access, lifecycle, CORS and replication, as DOCSHARD_S3_… says;
    rules of others stay. The keys need to be allowed to: those of services usually are not.
    """
    settings = service_settings()
    if dry_run and output is Format.TABLE:
        show_steps([_words(one) for one in run_told(buckets.look(settings)) if _due(one)])
        return
    steps = run_told(buckets.look(settings) if dry_run else buckets.prepare(settings))
    show_rows("buckets", [_row(one, output) for one in steps], output)
    refused = any(one.outcome is Outcome.REFUSED for one in steps)
    ctx.exit(Exit.FAILED if refused else Exit.OK)


def _due(step: Step) -> bool:
    return step.outcome in (Outcome.DUE, Outcome.REFUSED)


def _words(step: Step) -> str:
    what = "make it" if step.what == BUCKET else f"set {step.what}"
    doubt = f" (looking was refused: {step.why})" if step.outcome is Outcome.REFUSED else ""
    return f"{step.bucket}: {what}{doubt}"


def _row(step: Step, output: Format) -> dict[str, object]:
    row: dict[str, object] = {
        "bucket": step.bucket,
        "what": step.what,
        "outcome": step.outcome.value,
        "why": step.why or None,
    }
    # As S3 takes it, for who makes buckets by other means.
    return row if output is Format.TABLE else row | {"document": step.document}

"""`docshard migrate status|plan|up`: the schemas of the global database and of every shard."""

from __future__ import annotations

from dataclasses import asdict

import click

from deploy.cli.output import Format, dry_run_option, output_option, show_rows, show_steps
from deploy.cli.service import with_data
from deploy.errors import Exit
from services.fleet import migrate as migrations
from services.fleet.migrate import SchemaState


@click.group()
def migrate() -> None:
    """Look at and run schema migrations: global first, then all shards side by side."""


@migrate.command()
@output_option
@click.pass_context
def status(ctx: click.Context, output: Format) -> None:
    """Show each database's revision. Exit status 6 when one is behind or does not answer."""
    states = with_data(migrations.status)
    show_rows("schemas", [asdict(state) for state in states], output)
    behind = any(state.pending or state.error for state in states)
    ctx.exit(Exit.FINDINGS if behind else Exit.OK)


@migrate.command()
def plan() -> None:
    """Print the steps that `migrate up` would take, in order."""
    show_steps(_steps(with_data(migrations.status)))


@migrate.command()
@dry_run_option
@output_option
@click.pass_context
def up(ctx: click.Context, dry_run: bool, output: Format) -> None:
    """Bring every schema to this code. One shard's failure does not stop the others."""
    if dry_run:
        show_steps(_steps(with_data(migrations.status)))
        return
    outcomes = with_data(migrations.up)
    show_rows("migrated", [asdict(outcome) for outcome in outcomes], output)
    failed = [outcome.name for outcome in outcomes if outcome.error]
    if failed:
        click.secho(f"error: not migrated: {', '.join(failed)}", fg="red", err=True)
        click.echo("  Routers refuse these until it succeeds; run it again then.", err=True)
    ctx.exit(Exit.FAILED if failed else Exit.OK)


def _steps(states: list[SchemaState]) -> list[str]:
    return [f"{state.name}: run {revision}" for state in states for revision in state.pending]

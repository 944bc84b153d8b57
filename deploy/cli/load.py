"""`docshard load …`: load tests, which are a program of their own and speak HTTP only."""

from __future__ import annotations

import subprocess
import sys

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def load(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Load a fleet with tenants' requests; show and compare what was measured."""
    # A load must not share a process with what it measures, nor with this one's libraries.
    done = subprocess.run([sys.executable, "-m", "loadtests", *arguments], check=False)
    ctx.exit(done.returncode)

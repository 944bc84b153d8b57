"""`docshard rebalance`: the plan, what carries it out, and what shows how far it is."""

from __future__ import annotations

import click

from deploy.cli import rebalance_run, rebalance_watch
from deploy.cli.rebalance import plan


@click.group()
def rebalance() -> None:
    """Plan which clients should move between shards."""


for _command in (plan, *rebalance_run.COMMANDS, *rebalance_watch.COMMANDS):
    rebalance.add_command(_command)

"""`docshard rebalance`: the plan, what carries it out, and what shows how far it is."""

from __future__ import annotations

from deploy.cli import rebalance_run, rebalance_watch
from deploy.cli.rebalance import rebalance

for _command in (*rebalance_run.COMMANDS, *rebalance_watch.COMMANDS):
    rebalance.add_command(_command)

__all__ = ["rebalance"]

"""`docshard key`: the keys behind encrypted fields and tokens."""

from __future__ import annotations

import click

from deploy.cli.lazy import LazyGroup

_COMMANDS = {
    "list": "deploy.cli.key_data:list_keys",
    "rotate": "deploy.cli.key_data:rotate",
    "rewrap": "deploy.cli.key_data:rewrap",
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS)
def key() -> None:
    """Look at data keys and change them. No key is ever shown, and none is ever deleted."""

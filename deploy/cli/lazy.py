"""A command group that imports a command's module only when the command is called.

`docshard kill` should not wait for libraries that only `docshard migrate` needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are named as "module:attribute"."""

    def __init__(self, *arguments: Any, commands_at: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._places = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the order given."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, attribute = place.split(":")
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

"""A command group that imports a command's module only when the command is called.

`docshard kill` should not wait for libraries that only `docshard migrate` needs, and `docshard
--help` for none of them: what a command is for is read in its source.
"""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
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
        command = getattr(_imported(module), attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        room = formatter.width - 6 - max(map(len, self._places))
        rows = [
            (name, click.Command(name, help=described(place)).get_short_help_str(room))
            for name, place in self._places.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def described(place: str) -> str:
    """What the docstring of "module:function" says, without importing the module.

    Raises:
        LookupError: the module has no function of that name.
    """
    module, attribute = place.split(":")
    spec = importlib.util.find_spec(module)
    source = Path(spec.origin if spec and spec.origin else "").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return ast.get_docstring(node) or ""
    raise LookupError(place)


def _imported(module: str) -> ModuleType:
    """Import without looking for garbage, which is a sixth of the time: what is imported stays."""
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()

"""Values as YAML: sorted keys, and no text that could be read as anything but itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import yaml

Value: TypeAlias = "bool | int | float | str | Sequence[Value] | Mapping[str, Value] | None"

# Needs no quotes for any reader: a letter first, no sign with a meaning, no blank at an end. PyYAML
# would leave away those that it needs not itself, and others read `y` or `1e3` as YAML 1.2 or 1.1
# means them.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


class _Writer(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML ships no types
    def ignore_aliases(self, data: Any) -> bool:
        """Every value stands where it is used."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        """Lists stand below their key, and not beside it."""
        return super().increase_indent(flow, False)


def documents(*values: Value) -> str:
    """Each value as a document of its own."""
    told: str = yaml.dump_all(
        values, Dumper=_Writer, allow_unicode=True, default_flow_style=False, width=float("inf")
    )
    return told


def _written(writer: _Writer, text: str) -> Any:
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return None
    return "|" if _is_page(text) else '"'


def _is_page(text: str) -> bool:
    """Whether it stands line by line as it is: a block keeps no other ends and no lesser signs."""
    lines = text.split("\n")
    ends = len(lines) > 1 and not lines.pop()
    return ends and lines[0][:1] != " " and all(one.strip() and one.isprintable() for one in lines)


_Writer.add_representer(str, _written)

"""Values as YAML: sorted keys, and no text that could be read as anything but itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = "bool | int | float | str | Sequence[Value] | Mapping[str, Value] | None"

# Needs no quotes in any YAML: a letter first, no sign with a meaning, no blank at an end.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def documents(*values: Value) -> str:
    """Each value as a document of its own."""
    return "---\n".join("\n".join(_lines(value)) + "\n" for value in values)


def _lines(value: Value) -> Iterator[str]:
    """The value's lines, beginning at the left."""
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from _entry(f"{_scalar(key)}:", value[key])
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for item in value:
            yield from _hung("-", item)
    else:
        yield _scalar(value)


def _entry(key: str, value: Value) -> Iterator[str]:
    if isinstance(value, str) and _is_page(value):
        yield f"{key} |"
        yield from (f"  {line}" for line in value.split("\n")[:-1])
    elif isinstance(value, Mapping | Sequence) and not isinstance(value, str) and value:
        yield key
        yield from (f"  {line}" for line in _lines(value))
    else:
        yield f"{key} {_scalar(value)}"


def _is_page(text: str) -> bool:
    """Whether it stands line by line as it is: a block keeps no other ends and no lesser signs."""
    lines = text.split("\n")
    ends = len(lines) > 1 and not lines.pop()
    return ends and lines[0][:1] != " " and all(one.strip() and one.isprintable() for one in lines)


def _hung(mark: str, value: Value) -> Iterator[str]:
    for number, line in enumerate(_lines(value)):
        yield f"{'  ' if number else mark + ' '}{line}"


def _scalar(value: Value) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return f'"{"".join(map(_sign, value))}"'


def _sign(sign: str) -> str:
    """One sign between double quotes: as it is if it prints, else as YAML's escape."""
    if sign in '"\\':
        return "\\" + sign
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"

"""Passwords that everybody tries first: a bundled list, and what people make of its words.

`common_passwords.txt` holds the most frequent passwords of public leaks. Few of them are long
enough for our policy as they stand, so a listed word does not become good by being repeated, or by
digits and signs around it. Nothing is asked of a password's composition.
"""

from __future__ import annotations

import string
from functools import cache
from importlib import resources

_AROUND = string.digits + string.punctuation + string.whitespace
_ROWS = (string.digits, string.ascii_lowercase, "qwertyuiopasdfghjklzxcvbnm")
_RUNS = tuple(run for row in _ROWS for run in (row * 3, row[::-1] * 3))
_SHORTEST_PERIOD = 4


def is_common(password: str) -> bool:
    """Whether the password is among the first that a guesser tries."""
    folded = password.casefold()
    return any(_is_listed(core) for core in (folded, folded.strip(_AROUND)) if core)


def _is_listed(text: str) -> bool:
    unit = _unit(text)
    if len(unit) < _SHORTEST_PERIOD and len(text) > len(unit):
        return True  # a few characters, again and again
    return unit in _words() or any(len(text) >= _SHORTEST_PERIOD and text in run for run in _RUNS)


def _unit(text: str) -> str:
    """Give the shortest piece that, repeated, makes the text; often the text itself."""
    # A text meets itself in its double at the length of its period, and no sooner.
    return text[: (text + text).index(text, 1)]


@cache
def _words() -> frozenset[str]:
    text = (resources.files(__package__) / "common_passwords.txt").read_text(encoding="ascii")
    return frozenset(line for line in text.splitlines() if not line.startswith("# "))

"""YAML that we write is read as what was meant, whatever stands in it."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.rendering.yaml import Value, documents

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LINES = st.lists(TEXTS, max_size=4).map(lambda lines: "\n".join(lines) + "\n")
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXTS | LINES
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_every_value_is_read_as_itself(value: Value) -> None:
    assert yaml.safe_load(documents(value)) == value


@settings(max_examples=20, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=3))
def test_documents_stay_apart(values: list[Value]) -> None:
    assert list(yaml.safe_load_all(documents(*values))) == values


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "No", "on", "null", "~", "1", "0x1f", "1e3", "1:30", "2026-11-23", "=", "<<"),
        *("- a", "a: b", "# a", "a #b", "{a}", "[a]", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a"),
        *('"', "'", "\\", "a\n", "\n", " a", "a ", "\ta", "---", "...", "${A}", "\u0085", "\u2028"),
        *("{{ a }}", "y", "N", "inf", ".nan", "-", "?", ""),
    ],
)
def test_no_text_is_taken_for_something_else(text: str) -> None:
    assert yaml.safe_load(documents({text: [text, {"key": text}]})) == {text: [text, {"key": text}]}


def test_keys_are_sorted_and_fractions_stay() -> None:
    assert documents({"b": 1.5, "a": True}) == "a: true\nb: 1.5\n"
    assert math.isclose(yaml.safe_load(documents(0.1)), 0.1)

"""Every `docshard …` and `make …` that pages and messages tell is there, with those options."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import click
import pytest

from deploy.cli.main import docshard

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for folder in ("", "docs/**/", "deploy/**/") for path in ROOT.glob(f"{folder}*.md")
)
SOURCES = [
    path
    for package in ("router", "services", "shards", "global_db", "deploy", "loadtests")
    for path in sorted((ROOT / package).rglob("*.py"))
]
LINE = re.compile(
    r"^(?: {4,}|\$ )(?:\w+=\S+ |kubectl .* -- )*"
    r"(?:docker compose run --rm command|(?:[\w./]*/)?docshard)"
    r" ((?:(?<= )'[^']*'|[^\n])*)",
    re.MULTILINE,
)
"""A line of a block; a text in quotes may go on in the next one."""
SAID_OF_IT = re.compile(r"  +(?=[^\s-])|\s[#|>]")
"""Two blanks, or a shell's sign."""
BLANK = "…"
"""Stands for what a reader or a message fills in."""


def in_page(text: str) -> Iterator[str]:
    for line in LINE.findall(re.sub(r"\\\n\s*", "", text)):
        yield SAID_OF_IT.split(re.sub(r"\n\s*", " ", line))[0]
    yield from in_backquotes(re.sub(r"^ *```.*?```", "", text, flags=re.DOTALL | re.MULTILINE))


def in_backquotes(text: str) -> Iterator[str]:
    for told in re.findall(r"`(?:/\S*/)?docshard ([^`]*)`", text):
        yield re.sub(r"\|\s+", "|", told)


def in_source(text: str) -> Iterator[str]:
    if "docshard " not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from in_backquotes(node.value)
        elif isinstance(node, ast.JoinedStr):
            yield from in_backquotes("".join(map(_part, node.values)))


def _part(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else BLANK


def in_readme_s_table() -> Iterator[str]:
    section = (ROOT / "README.md").read_text().partition("\n## The command\n")[2]
    for cell in re.findall(r"^\| (`.*?`) \|", section.partition("\n## ")[0], re.MULTILINE):
        for told in re.findall(r"`([^`]+)`", cell):
            yield from map(" ".join, each(told.replace("\\", "")))


def every(group: click.Group, before: str = "") -> Iterator[str]:
    for name in group.list_commands(context := click.Context(group)):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from every(found, f"{before}{name} ")
        else:
            yield before + name


def each(told: str) -> Iterator[tuple[str, ...]]:
    """The words of each command that is told at once: `a|b` is two."""
    words = shlex.split(re.sub(r"[][]", " ", told))
    return product(*(word.split("|") for word in words))


def faults(told: str) -> list[str]:
    """What is wrong with the commands that are told."""
    return [why for one in each(told) if (why := _fault(docshard, list(one)))]


def _fault(command: click.Command, words: list[str]) -> str | None:
    """What the command says of these words without running."""
    if isinstance(command, click.Group) and words and not _filled_in(words[0]):
        found = command.get_command(click.Context(command), words[0])
        return _fault(found, words[1:]) if found else f"{command.name} has no {words[0]}"
    try:
        _read(command, words)
    except click.BadOptionUsage as error:
        # An option that is told without its value.
        return None if words[-1] == error.option_name else error.format_message()
    except click.UsageError as error:
        return error.format_message()
    return None


def _read(command: click.Command, words: list[str]) -> None:
    context = click.Context(command, info_name=command.name, **command.context_settings)
    given, left, _ = command.make_parser(context).parse_args(list(words))
    if left and not isinstance(command, click.Group):
        raise click.UsageError(f"too many words: {left}")
    for parameter in command.get_params(context):
        # Whether a file is there is not asked.
        value = None if isinstance(parameter.type, click.Path) else given.get(parameter.name)
        if isinstance(value, str) and not _filled_in(value):
            parameter.type.convert(value, parameter, context)


def _filled_in(word: str) -> bool:
    return word.isupper() or word[:1] in "-$" or BLANK in word


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_tells_commands_as_they_are(path: Path) -> None:
    wrong = {told: why for told in in_page(path.read_text()) if (why := faults(told))}
    assert wrong == {}


def test_the_readme_names_every_command() -> None:
    there = set(every(docshard))
    told = {" ".join(filter(str.islower, one.split())) for one in in_readme_s_table()}
    # `render` is told with its targets.
    assert {one if one in there else one.split()[0] for one in told} == there


def test_messages_tell_commands_as_they_are() -> None:
    told = {one: path.name for path in SOURCES for one in in_source(path.read_text())}
    assert len(told) > 50
    assert {(one, name): why for one, name in told.items() if (why := faults(one))} == {}


def test_pages_tell_what_the_makefile_makes() -> None:
    makefile = (ROOT / "Makefile").read_text()
    made = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    told = "\n".join(path.read_text() for path in [*PAGES, *SOURCES])
    named = set(re.findall(r"(?:`|^\$ |^ {4,})make ([a-z-]+)(?![a-z ])", told, re.MULTILINE))
    assert named
    assert named - made == set()


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("client forget X", "client has no forget"),
        ("client list --limit none", "'none' is not a valid integer range."),
        ("client top --by colour", "is not one of"),
        ("client show one two", "too many words"),
        ("client show --long X", "No such option"),
    ],
)
def test_a_command_that_is_not_there_is_found(told: str, why: str) -> None:
    (found,) = faults(told)
    assert why in found

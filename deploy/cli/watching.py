"""Watching moves until they have ended: redrawn on a terminal, lines otherwise, JSON for programs.

What is watched goes on without the watcher: Ctrl-C detaches.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.cli.figures import size
from deploy.cli.moves_view import (
    NOBODY_RUNS,
    View,
    bytes_words,
    changes,
    eta_words,
    states_words,
    summary,
)
from services.errors import DirectoryUnavailable
from services.fleet.move_progress import MoveProgress

_LOOK_SECONDS: Final = 0.5
_SUMMARY_SECONDS: Final = 10.0
_LONGEST_SILENCE_SECONDS: Final = 60.0
_SHOWN: Final = 20
_AT_WORK: Final = frozenset({"copying", "catching_up", "verifying", "fenced"})

Look = Callable[[], Awaitable[View]]


class Screen(Protocol):
    """Where looks are shown."""

    def show(self, view: View) -> None:
        """Show what was just seen."""

    def say(self, text: str) -> None:
        """Tell something that is no look."""


async def follow(look: Look, screen: Screen) -> View:
    """Look again and again until all has ended; answers the last look.

    While the global database is away, moves do not go on either: so it is waited for.
    """
    away = False
    while True:
        try:
            view = await look()
        except DirectoryUnavailable as error:
            if not away:
                screen.say(f"{error.detail} Looking again until it is back.")
            away = True
        else:
            away = False
            screen.show(view)
            if view.ended:
                return view
        await asyncio.sleep(_LOOK_SECONDS)


@contextmanager
def screen() -> Iterator[Screen]:
    """The screen that suits standard error."""
    console = Console(stderr=True, no_color="NO_COLOR" in os.environ or None, highlight=False)
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            yield _Redrawn(live)
    else:
        yield Lines()


class Lines:
    """One line for each change, and a summary from time to time: for pipes and logs."""

    def __init__(self) -> None:
        self._before: View | None = None
        self._summed_at = -_LONGEST_SILENCE_SECONDS
        self._news: object = None

    def show(self, view: View) -> None:
        """Tell what has changed."""
        for line in changes(self._before, view):
            self.say(line)
        now, news = asyncio.get_running_loop().time(), (view.state, view.overview.moves)
        patience = _LONGEST_SILENCE_SECONDS if news == self._news else _SUMMARY_SECONDS
        if view.ended or now - self._summed_at >= patience:
            self.say(summary(view))
            self._summed_at, self._news = now, news
        self._before = view

    def say(self, text: str) -> None:
        """Write a line."""
        click.echo(text, err=True)


class _Redrawn:
    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, view: View) -> None:
        """Draw it anew."""
        self._live.update(drawing(view))

    def say(self, text: str) -> None:
        """Write above what is drawn."""
        self._live.console.print(text)


def drawing(view: View) -> RenderableType:
    """The whole, and a table of moves that are at work or in trouble. Pure."""
    whole = view.overview
    head = Table.grid(padding=(0, 2))
    head.add_row(view.what, Text(view.state, style="bold"))
    head.add_row("moves", states_words(whole.states))
    rate = "" if whole.bytes_per_second is None else f", {size(whole.bytes_per_second)}/s"
    head.add_row("copied", f"{bytes_words(whole.bytes)}{rate}")
    if whole.lag_bytes is not None:
        head.add_row("lag", size(whole.lag_bytes))
    if not view.ended:
        head.add_row("ETA", eta_words(whole.eta))
    if whole.unattended:
        head.add_row("", Text(NOBODY_RUNS, style="red"))
    shown = [one for one in whole.moves if one.move.state in _AT_WORK or one.move.fault]
    if not shown:
        return head
    return Group(head, "", _table(shown))


def _table(shown: list[MoveProgress]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("move", "from", "to", "state", "rows", "copied", "rate", "lag", "fault"):
        table.add_column(name)
    for one in shown[:_SHOWN]:
        table.add_row(
            str(one.move.id),
            one.move.source,
            one.move.target,
            one.move.state,
            f"{one.rows.done:,}",
            bytes_words(one.bytes),
            "-" if one.bytes_per_second is None else f"{size(one.bytes_per_second)}/s",
            "-" if one.lag_bytes is None else size(one.lag_bytes),
            one.move.fault or "",
        )
    if len(shown) > _SHOWN:
        table.add_row(f"and {len(shown) - _SHOWN} more")
    return table

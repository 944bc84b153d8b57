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
from rich.console import Console
from rich.live import Live

from deploy.cli.moves_frame import Frame
from deploy.cli.moves_view import View, changes, summary
from services.errors import DirectoryUnavailable

_LOOK_SECONDS: Final = 0.5
_SUMMARY_SECONDS: Final = 10.0
_LONGEST_SILENCE_SECONDS: Final = 60.0

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
    if console.is_terminal and not console.is_dumb_terminal:
        # Drawn at each look and at no other time: see `_Redrawn.show`.
        with Live(console=console, auto_refresh=False) as live:
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
        self._size = live.console.size

    def show(self, view: View) -> None:
        """Draw it anew, in place of the frame before."""
        console = self._live.console
        if console.size != self._size:
            # The terminal has folded the old frame's lines, so nobody knows where it begins.
            console.clear()
            self._size = console.size
        self._live.update(Frame(view), refresh=True)

    def say(self, text: str) -> None:
        """Write above what is drawn."""
        self._live.console.print(text)

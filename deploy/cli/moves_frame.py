"""A look at moves as a frame that fits the terminal, whatever its size. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from deploy.cli.moves_view import View
from services.fleet.move_progress import MoveProgress
from services.fleet.move_words import NOBODY_RUNS, bytes_words, eta_words, rows_words, states_words
from services.fleet.units import size

_WIDE: Final = 120
"""From so many columns on there is room for a move's id and its own rate."""
_MOST_FAULTS: Final = 3
_AROUND_ROWS: Final = 4
"""Lines besides head, foot and rows: an empty one, the names of columns, how many more there are,
and the one that the cursor stands on."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The whole, the moves at work, one in a line, and what is wrong with any.

    It is not higher than the terminal: what has scrolled away could not be drawn anew. (Below some
    15 lines rich cuts it off.)
    """

    view: View

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        at_work = [one for one in self.view.overview.moves if one.at_work]
        head = _head(self.view)
        room = console.height - _AROUND_ROWS - _lines(console, options, head)
        foots = [_faults(self.view, most) for most in range(_MOST_FAULTS, 0, -1)]
        foot = next((foot for foot in foots if _lines(console, options, foot) < room), foots[-1])
        yield head
        if at_work:
            most = max(1, room - _lines(console, options, foot))
            yield Text()
            yield _table(at_work, most=most, wide=options.max_width >= _WIDE)
        if foot.row_count:
            yield foot


def _lines(console: Console, options: ConsoleOptions, part: RenderableType) -> int:
    return len(console.render_lines(part, options))


def _head(view: View) -> Table:
    whole = view.overview
    head = Table.grid(padding=(0, 2))
    head.add_row(view.what, Text(view.state, style="bold"))
    head.add_row("moves", states_words(whole.states))
    rate = "" if whole.bytes_per_second is None else f", {size(whole.bytes_per_second)}/s"
    head.add_row("copied", f"{rows_words(whole.rows)}, {bytes_words(whole.bytes)}{rate}")
    if whole.lag_bytes is not None:
        head.add_row("lag", size(whole.lag_bytes))
    if not view.ended:
        head.add_row("ETA", eta_words(whole.eta))
    if whole.unattended:
        head.add_row("", Text(NOBODY_RUNS, style="red"))
    return head


def _table(at_work: Sequence[MoveProgress], *, most: int, wide: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    names = ("move", "from, to", "state", "copied", "rate", "lag")
    for name in names if wide else _narrow(names):
        table.add_column(name, no_wrap=True)
    for one in at_work[:most]:
        cells = _cells(one)
        table.add_row(*(cells if wide else _narrow(cells)))
    if len(at_work) > most:
        table.add_row(f"and {len(at_work) - most} more")
    return table


def _cells(one: MoveProgress) -> tuple[str, ...]:
    return (
        str(one.move.id),
        f"{one.move.source} -> {one.move.target}",
        one.move.state,
        bytes_words(one.bytes),
        "-" if one.bytes_per_second is None else f"{size(one.bytes_per_second)}/s",
        "-" if one.lag_bytes is None else size(one.lag_bytes),
    )


def _narrow(cells: Sequence[str]) -> Sequence[str]:
    """Without the id and the rate."""
    return (*cells[1:4], *cells[5:])


def _faults(view: View, most: int) -> Table:
    """Each fault once, those of most moves first, with one move that has it."""
    having: dict[str, list[MoveProgress]] = defaultdict(list)
    for one in view.overview.moves:
        if one.move.fault and _in_trouble(one, view):
            having[one.move.fault].append(one)
    foot = Table.grid(padding=(0, 2))
    for fault, moves in sorted(having.items(), key=lambda item: -len(item[1]))[:most]:
        others = f" and {len(moves) - 1} more" if len(moves) > 1 else ""
        told = Text(f"{moves[0].move.id}{others}: {fault}")
        foot.add_row(Text("fault", style="red"), told)
    if len(having) > most:
        foot.add_row("", f"and {len(having) - most} other faults: `docshard rebalance status`")
    return foot


def _in_trouble(one: MoveProgress, view: View) -> bool:
    """What another move has retried, or is about to, is history."""
    return not one.ended or one.move.id in view.overview.lost

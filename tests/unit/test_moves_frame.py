"""What `rebalance watch` draws on a terminal: all that matters, and nothing that does not fit."""

from __future__ import annotations

from uuid import UUID

import pytest
from rich.console import Console

from deploy.cli.moves_frame import Frame
from deploy.cli.moves_view import View
from global_db.moves import Move
from tests.unit.test_move_progress import copying, move, seen, switched

COPIED = {"rows": 1000, "rows_total": 1000, "bytes": 10_000, "bytes_total": 10_000}
NO_SLOTS = "shard-3 has no replication slot left; raise max_replication_slots there, or wait"


def lines(*moves: Move, width: int = 80, height: int = 24, ended: bool = False) -> list[str]:
    """The frame as a terminal of that size shows it."""
    console = Console(width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as drawn:
        console.print(Frame(View("rebalance 1", "running", seen(*moves), ended, ())))
    return [line.rstrip() for line in drawn.get().splitlines()]


def test_a_move_in_each_phase_fits_eighty_columns() -> None:
    each = [
        *(move(), copying(0.5, seconds=5), switched(1), move("swept"), move("aborted")),
        *(move(state, progress=COPIED) for state in ("catching_up", "verifying", "fenced")),
    ]
    assert lines(*each) == [
        "rebalance 1  running",
        "moves        1 planned, 1 copying, 1 catching_up, 1 verifying, 1 fenced, 1",
        "             switched, 1 swept, 1 aborted",
        "copied       4,500 of 6,000 rows, 43.9 KiB of 58.6 KiB, 1000 B/s",
        "lag          77 B",
        "ETA          13 s to 70 s",
        "",
        "from, to            state        copied              lag",
        "shard-1 -> shard-3  copying      4.9 KiB of 9.8 KiB  77 B",
        "shard-1 -> shard-3  catching_up  9.8 KiB of 9.8 KiB  -",
        "shard-1 -> shard-3  verifying    9.8 KiB of 9.8 KiB  -",
        "shard-1 -> shard-3  fenced       9.8 KiB of 9.8 KiB  -",
    ]


@pytest.mark.parametrize(("width", "height"), [(60, 20), (80, 24), (120, 24), (250, 60)])
def test_fifty_moves_in_trouble_stay_on_the_terminal(width: int, height: int) -> None:
    busy = [copying(number / 50, seconds=5) for number in range(50)]
    faulty = [move(fault=f"{NO_SLOTS} ({number % 5})") for number in range(50)]
    drawn = lines(*busy, *faulty, width=width, height=height)
    assert len(drawn) < height
    assert max(map(len, drawn)) <= width
    shown = sum("copying" in line and "->" in line for line in drawn)
    assert shown >= 1
    assert any(f"and {50 - shown} more" in line for line in drawn)


def test_a_wide_terminal_has_room_for_the_ids() -> None:
    busy = copying(0.5, seconds=5)
    [line] = [line for line in lines(busy, width=120) if "->" in line]
    assert line.split("  ")[0] == str(busy.id)
    assert "1000 B/s" in line
    assert not any(str(busy.id) in line for line in lines(busy, width=119))


def test_a_fault_is_told_once_with_a_move_that_has_it() -> None:
    faulty = [move(fault=NO_SLOTS, id=UUID(int=number)) for number in range(3)]
    text = " ".join(" ".join(lines(*faulty)).split())
    assert f"fault {UUID(int=0)} and 2 more: {NO_SLOTS}" in text
    assert text.count("no replication slot") == 1


def test_an_aborted_move_is_in_trouble_until_another_retries_it() -> None:
    lost = move("aborted", fault="eight failures in a row")
    assert any("eight failures" in line for line in lines(lost))
    assert not any("eight failures" in line for line in lines(lost, move(retries=lost.id)))


def test_the_last_frame_has_no_estimate() -> None:
    assert any(line.startswith("ETA") for line in lines(move()))
    assert not any(line.startswith("ETA") for line in lines(move("swept"), ended=True))

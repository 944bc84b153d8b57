"""Moves in words: what people, logs and programs are told, and which commands come next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.cli.moves_view import View, changes, move_document, summary
from deploy.cli.run_options import Rate
from global_db.moves import Move
from services.fleet.move_eta import Eta
from services.fleet.move_progress import progress_of
from services.fleet.move_words import NOBODY_RUNS, eta_words, move_steps, rebalance_steps
from tests.unit.test_move_progress import NOW, ago, copying, move, seen, switched


def view(*moves: Move, ended: bool = False) -> View:
    return View("rebalance 1", "running", seen(*moves), ended, ())


def test_a_summary_is_one_line_with_everything() -> None:
    line = summary(view(copying(0.5, seconds=5), move()))
    assert "1 planned, 1 copying" in line
    assert "500 of 2,000 rows" in line
    assert "1000 B/s" in line
    assert "lag 77 B" in line
    assert "ETA" in line
    assert "ETA" not in summary(view(move("swept"), ended=True))


def test_an_eta_admits_what_nobody_knows() -> None:
    assert eta_words(Eta(None, None, "paused")) == "not known: paused"
    assert eta_words(Eta(12, None, "never measured")) == "12 s at least; never measured"
    assert eta_words(Eta(12, 30)) == "12 s to 30 s"


def test_a_log_is_told_what_changed_and_nothing_else() -> None:
    one, other = copying(0.5, 5), move()
    assert list(changes(None, view(other))) == []
    assert len(list(changes(None, view(one, other)))) == 1
    farther = replace(one, progress=one.progress | {"rows": 700})
    assert list(changes(view(one, other), view(farther, other))) == []
    [line] = changes(view(one), view(replace(one, state="switched", actual={"pause_ms": 12.3})))
    assert "switched" in line
    assert "pause 12 ms" in line
    [line] = changes(view(one), view(replace(one, fault="no slots")))
    assert line.endswith("fault: no slots")


def test_a_log_is_told_once_that_nobody_runs_moves() -> None:
    alone = view(move(updated_at=ago(60), state_since=ago(60)))
    assert list(changes(view(), alone)) == [NOBODY_RUNS]
    assert list(changes(alone, alone)) == []


@pytest.mark.parametrize(
    ("state", "verbs"),
    [
        ("planned", ["show", "abort"]),
        ("verifying", ["show", "abort"]),
        ("switched", ["verify", "reverse"]),
        ("aborted", ["retry"]),
        ("swept", []),
    ],
)
def test_a_move_offers_what_can_be_done_with_it(state: str, verbs: list[str]) -> None:
    one = move(state)
    wanted = [f"docshard move {verb} {one.id}" for verb in verbs]
    assert move_steps(progress_of(one)) == wanted


def test_a_rebalance_offers_what_can_be_done_with_it() -> None:
    assert rebalance_steps("running", seen(move())) == [
        *(f"docshard rebalance {verb}" for verb in ("watch", "pause", "stop"))
    ]
    assert rebalance_steps("paused", seen(move()))[0] == "docshard rebalance resume"
    alone = seen(move(updated_at=ago(60), state_since=ago(60)))
    assert rebalance_steps("running", alone)[0] == "docshard worker"
    lost = move("aborted")
    assert f"docshard move retry {lost.id}" in rebalance_steps("finished", seen(lost))
    assert rebalance_steps("stopped", seen(switched(1))) == ["docshard rebalance watch"]


def test_programs_get_figures_and_no_words() -> None:
    document = move_document(progress_of(copying(0.5, 5)))
    assert (document["rows"], document["rows_total"], document["bytes_per_second"]) == (
        *(500, 1000),
        1000,
    )
    assert document["created_at"] < NOW


@pytest.mark.parametrize(
    ("text", "rate"),
    [("50MB/s", 50_000_000), ("8MiB/s", 8 * 1024**2), ("1.5k", 1500), ("700", 700)],
)
def test_rates_are_read_with_their_unit(text: str, rate: int) -> None:
    assert Rate().convert(text, None, None) == rate

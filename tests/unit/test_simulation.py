"""`docshard ring simulate`: ring and planner asked about fleets that do not exist. Pure."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import orjson
import pytest
from click.testing import CliRunner

from deploy.cli.main import run
from deploy.cli.ring import ring
from deploy.errors import Exit
from deploy.fleet.ring_plot import page, picture
from services.fleet.planner.simulation import Question, doubling, remembered, simulate

SMALL = Question(clients=2_000, fleets=(2, 5), skew=0.4, seed=7)


def test_equal_questions_have_equal_answers_and_another_seed_another() -> None:
    answers = list(simulate(SMALL))
    assert answers == list(simulate(SMALL))
    assert answers != list(simulate(replace(SMALL, seed=8)))


def test_one_more_shard_takes_about_its_part() -> None:
    for one in simulate(SMALL):
        assert one.members == 16 * one.shards
        assert one.ideal == pytest.approx(1 / (one.shards + 1))
        assert one.moved == pytest.approx(one.ideal, abs=0.05)
        assert one.moved_bytes > 0
        assert one.clients_imbalance < 1.15


def test_a_heavier_newcomer_takes_more() -> None:
    [one] = simulate(replace(SMALL, fleets=(2,), weights=(1.0, 1.0, 2.0)))
    assert one.ideal == pytest.approx(1 / 2)
    assert one.moved == pytest.approx(one.ideal, abs=0.07)


def test_the_goal_load_brings_skewed_fleets_under_their_bound() -> None:
    [one] = simulate(replace(SMALL, fleets=(8,), skew=0.7))
    assert one.bytes_imbalance > 1.1 > one.relieved - 1e-3
    assert 0 < one.relief_clients < 400
    [giant] = simulate(replace(SMALL, fleets=(8,), skew=1.5))
    assert giant.largest > 1
    assert giant.relieved >= giant.largest - 1e-9


def test_equal_tenants_are_of_one_size() -> None:
    [one] = simulate(replace(SMALL, fleets=(2,), skew=0))
    assert one.bytes_imbalance == pytest.approx(one.clients_imbalance)


def test_routers_remember_who_asks_often() -> None:
    # One router: of each 1 + r L requests one asks the directory.
    assert remembered([1.0] * 100) == pytest.approx(2 / 3)
    assert remembered([1e-6] * 100) == pytest.approx(0, abs=1e-5)
    # Ten routers share each tenant's requests, and each of them has to ask.
    assert remembered([1.0] * 5_000) == pytest.approx(0.2 / 1.2)
    assert remembered([5.0] * 10 + [0.01] * 5_000) > remembered([0.02] * 5_000)


def test_sizes_double_up_to_the_last() -> None:
    assert doubling(2, 64) == [2, 4, 8, 16, 32, 64]
    assert doubling(1, 1_000)[-3:] == [250, 500, 1_000]
    assert doubling(3, 4) == [3, 4]
    assert doubling(5, 5) == [5]


def test_the_picture_is_whole_and_asks_for_nothing_else() -> None:
    answers = list(simulate(SMALL))
    svg = picture(SMALL, answers)
    tree = ElementTree.fromstring(svg)  # noqa: S314 - our own text
    told = [element.text for element in tree.iter()]
    for words in ("shards", "max / mean", "% of all clients", "MiB", "goal load", "bound 1.1"):
        assert words in told
    assert "prefers-color-scheme: dark" in svg
    assert svg.count("http") == 1, "the namespace alone"
    assert svg in page(svg)
    assert picture(SMALL, answers[:1]).count("<circle") > 3


def test_the_command_prints_a_table_or_json_and_draws(tmp_path: Path) -> None:
    small = ("simulate", "--shards", "3", "--clients", "300", "--weights", "1,2")
    drawn = tmp_path / "ring.svg"
    table = CliRunner().invoke(ring, [*small, "--out", str(drawn)])
    assert table.exit_code == Exit.OK, table.output
    assert "one joins: moved" in table.stdout
    assert drawn.read_text().startswith("<svg")
    document = orjson.loads(CliRunner().invoke(ring, [*small, "-o", "json"]).stdout)
    assert document["schema_version"] == 1
    assert [one["shards"] for one in document["answers"]] == [2, 3]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--shards", "0"),
        ("--shards", "2001"),
        ("--clients", "0"),
        ("--from", "9", "--shards", "8"),
        ("--weights", "1,heavy"),
        ("--weights", "0"),
        ("--weights", "65"),
        ("--weights", "nan"),
        ("--skew", "-1"),
        ("--tolerance", "0"),
        ("--out", "ring.png"),
        ("--clients", "10", "--shards", "2", "--out", "/nowhere/at/all.svg"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(wrong: tuple[str, ...]) -> None:
    assert run(["ring", "simulate", *wrong]) == Exit.USAGE

"""The page of a run: whole, escaped, and asking for nothing else."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from loadtests.__main__ import main
from loadtests.report.charts import Plot, draw, number
from loadtests.report.lines import MOST_LINES, MOST_POINTS, Line, Sampled, mean
from loadtests.report.page import render
from loadtests.runs.folder import Recorded, RunFolder
from loadtests.runs.moments import Series, Value
from tests.unit.sample_runs import bare, sample

HOSTILE = "<script>alert(1)</script>'\"&{{ 7 * 7 }}"
TOPICS = {
    *("throughput", "knee", "latency", "distribution", "operations-over-time", "shards"),
    *("shard-time", "lag", "pool-waits", "pool-used", "cpu", "memory", "fences"),
}
SECTIONS = {"summary", "gates", "operations", "events", "setting", *TOPICS}
VOID = {"meta", "link", "br"}


class Outline(HTMLParser):
    """What is in a page; it complains about an end without a beginning."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sections: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "section":
            self.sections.append(str(dict(attrs)["id"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize(
    "recorded", [sample(8), bare(), sample(8, mark=HOSTILE)], ids=["whole", "bare", "hostile"]
)
def test_every_page_has_every_section_and_asks_for_nothing(recorded: Recorded) -> None:
    page = render(recorded)
    assert page.startswith("<!doctype html>")
    outline = Outline(page)
    assert set(outline.sections) == SECTIONS
    assert len(outline.sections) == len(SECTIONS)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(outline.tags)
    asking = [value for name, value in outline.attributes if name in ("href", "src", "srcset")]
    assert all(value is not None and value.startswith("#") for value in asking)
    targets = {f"#{value}" for name, value in outline.attributes if name == "id"}
    assert set(asking) <= targets
    assert not [name for name, _ in outline.attributes if name.startswith("on")]
    style = page.split("<style>")[1].split("</style>")[0]
    assert "prefers-color-scheme: dark" in style
    assert "url(" not in style
    assert "@import" not in style


def test_each_plot_has_a_table_of_the_same_values() -> None:
    page = render(sample(8), sample(8, seed=2))
    assert page.count('<svg class="chart"') == len(TOPICS)
    assert page.count("The same as a table") == len(TOPICS)
    for kind in ("copy", "fence", "switch", "failover", "fault", "stage"):
        assert page.count(f"<title>{kind}: ") == len(TOPICS) - 2, "in all plots over time"
    assert "answered, baseline" in page
    assert "p99, baseline" in page


def test_hostile_names_are_words_and_nothing_else() -> None:
    recorded = sample(20, mark=HOSTILE)
    page = render(recorded, recorded)
    assert "<script" not in page
    assert "49" not in re.findall(r"\{\{ 7 \* 7 }}(\d+)", page)
    told = "".join(Outline(page).words)
    for words in ("step-to-knee", "get document", "shard-1", "p99 of all, ms", "503 overloaded"):
        assert f"{HOSTILE}{words}" in told
    assert f"{HOSTILE}shard-3 has a primary again" in told


def test_a_run_without_samples_says_so() -> None:
    words = " ".join(Outline(render(bare())).words)
    assert "Nothing of it was sampled in this run." in words
    assert "Too few requests were answered." in words
    assert "The scenario demands nothing." in words
    assert "nothing was demanded" in words


def test_figures_stand_in_the_page() -> None:
    recorded = sample(8)
    words = [word.strip() for word in Outline(render(recorded)).words]
    whole = recorded.run.whole
    assert "not passed" in words
    assert f"{whole.requests:,}" in words
    assert number(whole.times.percentile(0.99) / 1000) in words
    assert "at least 99.9" in words
    assert recorded.run.commit in words


def sampled(*values: Value, seconds: float = 1) -> Sampled:
    return Sampled.of(values, seconds)


def test_a_second_without_an_answer_is_nothing_answered_and_no_time() -> None:
    found = sampled(
        *(Value(second, Series.REQUESTS, "all", 4 + 2 * second) for second in (0, 2, 4)),
        seconds=4.9,
    )
    filled = found.line(Series.REQUESTS, "all", mean, empty=0)
    gaps = found.line(Series.REQUESTS, "all", max)
    assert filled is not None
    assert gaps is not None
    assert list(filled.points) == [(0, 4), (1, 0), (2, 8), (3, 0)]
    assert list(gaps.points) == [(0, 4), (1, None), (2, 8), (3, None)]
    chart = draw(Plot("t", "u", (gaps,), span=1))
    assert chart is not None
    assert not chart.lines[0].pieces
    assert len(chart.lines[0].dots) == 2
    assert list(chart.rows) == [("0", "4"), ("1", "–"), ("2", "8"), ("3", "–")]


def test_a_long_run_is_thinned_by_its_worst_seconds() -> None:
    values = [Value(second, Series.P99, "all", second % 5) for second in range(1000)]
    line = sampled(*values, seconds=1000).line(Series.P99, "all", max)
    assert line is not None
    assert len(line.points) <= MOST_POINTS
    assert set(line.values) == {4}


def test_many_labels_are_a_few_lines_and_the_rest_together() -> None:
    values = [Value(0, Series.CPU, f"part {n:02}", n) for n in range(20)]
    lines = sampled(*values).lines(Series.CPU, mean)
    assert len(lines) == MOST_LINES
    assert lines[0].name == "part 19"
    assert lines[-1] == Line("the sum of 13 others", ((0.0, sum(range(13))),))
    worst = sampled(*values).lines(Series.CPU, max)[-1]
    assert worst == Line("the worst of 13 others", ((0.0, 12.0),))


def test_places_stay_inside_of_the_plot() -> None:
    line = Line("one", ((0, 0.003), (1, 0), (2, 12_000)))
    for logarithmic in (False, True):
        chart = draw(Plot("t", "u", (line,), logarithmic=logarithmic))
        assert chart is not None
        drawn = chart.lines[0]
        places = [tuple(map(float, pair.split(","))) for p in drawn.pieces for pair in p.split()]
        for across, down in [*places, *drawn.dots]:
            assert chart.left <= across <= chart.right
            assert chart.top <= down <= chart.bottom
    assert draw(Plot("t", "u", (Line("none", ((0, None),)),))) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (0.1234, "0.123"),
        (1.5, "1.5"),
        (41.25, "41.2"),
        (1234.5, "1,234"),
        (0.0002, "0.0002"),
    ],
)
def test_numbers_are_short(value: float, words: str) -> None:
    assert number(value) == words


def test_the_command_writes_the_page_into_the_folder(tmp_path: Path) -> None:
    recorded = sample(3)
    files = RunFolder(tmp_path)
    files.begin()
    files.append(recorded.values)
    files.finish(recorded.run, recorded.events)
    done = CliRunner().invoke(main, ["report", str(tmp_path), "--baseline", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(files.report_file)
    assert Outline(files.report_file.read_text()).sections
    assert CliRunner().invoke(main, ["report", str(tmp_path / "none")]).exit_code == 2

"""What the console's pages show, out of plain values."""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from global_db.cluster import Role
from router.console import charts, rendering, words
from router.console.charts import Labels
from router.console.lag import LagSample, LagTrack
from router.console.pages import audit, rebalance, tenants
from router.console.pages.overview import cluster_row, topology
from router.console.router_work import RouterMeter, RouterWork
from services.exposition.family import Family, Histogram, counter, gauge, histogram
from services.fleet.fleet_standing import ClusterStanding, FleetStanding, NodeStanding, PoolUse
from services.fleet.problems import problems
from services.fleet.rebalance_standing import Rebalance, Standing
from services.fleet.rebalances import RunLimits
from services.fleet.ring_view import one_more, ring_shares
from services.fleet.statistics import ClientStatistics, ShardStatistics
from tests.unit.test_move_progress import copying, move, seen, switched

PLAIN = Labels(x=str, y=str)


def node(name: str, role: Role = Role.REPLICA, **fields: Any) -> NodeStanding:
    plain = NodeStanding(name, "127.0.0.1:1", None, role, 1, 5000, None, None, PoolUse())
    return replace(plain, **fields)


def cluster(name: str, *nodes: NodeStanding, **fields: Any) -> ClusterStanding:
    there = nodes or (node(f"{name}-primary", Role.PRIMARY), node(f"{name}-replica", lag_seconds=0))
    return replace(ClusterStanding(name, "active", 1, "ready", there, None), **fields)


def fleet(*shards: ClusterStanding, at: float = 0.0) -> FleetStanding:
    return FleetStanding(at, cluster("global"), shards or (cluster("shard-1"),))


def standing(*moves: Any, state: str = "running") -> Standing:
    made = Rebalance(
        id=UUID(int=1),
        goal="ring",
        state=state,
        reason="",
        plan={},
        created_by=None,
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
        updated_at=datetime(2026, 11, 22, tzinfo=UTC),
        finished_at=None,
        settings={},
    )
    return Standing(made, seen(*moves), RunLimits())


def found(*shards: ClusterStanding, rebalance: Standing | None = None) -> list[tuple[str, str]]:
    return [(one.severity, one.subject) for one in problems(fleet(*shards), rebalance)]


def test_a_healthy_fleet_has_no_problems() -> None:
    assert found() == []


def test_the_worst_problem_stands_first_and_each_is_told_once() -> None:
    late = node("shard-1-replica", behind_bytes=4096, lag_seconds=9.0)
    crowded = node("shard-2-primary", Role.PRIMARY, pool=PoolUse(waiting=3))
    gone = [node(name, Role.DOWN) for name in ("shard-3-primary", "shard-3-replica")]
    shards = (
        cluster("shard-1", node("shard-1-primary", Role.PRIMARY), late),
        cluster("shard-2", crowded, node("shard-2-replica", Role.DOWN), status="draining"),
        cluster("shard-3", *gone, state="away"),
    )
    assert found(*shards) == [
        ("outage", "shard-3"),
        ("warning", "shard-1-replica"),
        ("warning", "shard-2-primary"),
        ("warning", "shard-2-replica"),
        ("note", "shard-2"),
    ]


def test_a_full_disk_and_a_shard_without_primary_are_problems() -> None:
    full = cluster("shard-1", free_bytes=1000)
    headless = cluster("shard-2", node("shard-2-replica", lag_seconds=0), state="read_only")
    assert found(full, headless) == [("outage", "shard-2"), ("warning", "shard-1")]


def test_faults_of_moves_are_problems_and_a_pause_is_a_note() -> None:
    faulty = replace(copying(0.5, 3), fault="no slot is left")
    told = problems(fleet(), standing(faulty, copying(0.1, 1)))
    assert [one.what for one in told] == ["1 moves meet faults: no slot is left"]
    assert str(faulty.id) in told[0].advice
    assert found(rebalance=standing(switched(1), state="paused")) == [("note", "rebalance")]


def test_a_row_sums_up_a_clusters_nodes() -> None:
    primary = node("p", Role.PRIMARY)
    there = cluster("shard-1", primary, node("r"), node("d", Role.DOWN))
    row = cluster_row(there, None, None)
    assert (row.primary, row.answering, row.replicas) == (primary, 1, 2)


def figures(work: int, failed: int, waited: float = 0.0, shard: str = "shard-1") -> list[Family]:
    """A page of figures, after so much work with a shard."""
    worked = Histogram((0.1, 1.0))
    for _ in range(work):
        worked.observe(0.01)
    return [
        counter(
            "docshard_requests_total",
            "",
            [
                ({"route": route, "status": status}, number)
                for route in ("get_document", "none")
                for status, number in (("2xx", work), ("5xx", failed))
            ],
        ),
        histogram("docshard_db_seconds", "", [({"shard": shard, "role": "primary"}, worked)]),
        counter(
            "docshard_db_failures_total",
            "",
            [({"shard": shard, "kind": "pool_exhausted"}, failed)],
        ),
        counter("docshard_pool_wait_seconds_total", "", [({"shard": shard}, waited)]),
        gauge("docshard_pool_used", "", [({"shard": shard}, 3)]),
        gauge("docshard_pool_size", "", [({"shard": shard}, 20)]),
        gauge("docshard_processes", "", [({}, 2)]),
    ]


def looked(meter: RouterMeter, at: float, page: list[Family]) -> RouterWork | None:
    meter.seen(at, page)
    return meter.work


def test_rates_are_of_half_a_minute_and_of_all_processes() -> None:
    meter = RouterMeter()
    assert meter.due(0)
    assert looked(meter, 0, figures(100, 0)) is None, "one look has no rate"
    assert (meter.due(4.9), meter.due(5)) == (False, True)
    work = looked(meter, 10, figures(200, 5, waited=0.5))
    assert work is not None
    assert (work.processes, work.answers, work.failed) == (2, 21, 1)
    shard = work.clusters["shard-1"]
    assert (shard.primary, shard.replicas, shard.worked) == (10, 0, 10)
    assert (shard.failures, shard.failed) == ({"pool_exhausted": 0.5}, 0.5)
    assert (shard.wait_ms, shard.used, shard.most) == (5, 3, 20)
    later = looked(meter, 40, figures(500, 5, waited=0.5))
    assert later is not None
    assert later.clusters["shard-1"].failures == {}, "what failed is forgotten by then"


def test_rates_are_of_what_somebody_saw_lately_and_never_below_none() -> None:
    meter = RouterMeter()
    looked(meter, 0, figures(900, 0))
    assert looked(meter, 3600, figures(1000, 0)) is None, "an hour ago is not of late"
    work = looked(meter, 3610, figures(10, 0, shard="shard-2"))
    assert work is not None
    assert work.answers == 0
    assert set(work.clusters) == {"shard-2"}


def test_a_track_forgets_the_lag_of_another_rebalance() -> None:
    track, one = LagTrack(), standing(copying(0.5, 3))
    assert [look.lag_bytes for look in track.seen(1, one)] == [77]
    assert len(track.seen(2, one)) == 2
    other = replace(one, rebalance=replace(one.rebalance, id=UUID(int=2)))
    assert [look.at for look in track.seen(3, other)] == [3]
    assert len(track.seen(4, replace(other, overview=seen(switched(1))))) == 1


@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_the_picture_has_a_place_for_every_server(count: int) -> None:
    shards = [cluster(f"shard-{number}") for number in range(count)]
    drawn = topology([cluster_row(one, None, None) for one in (cluster("global"), *shards)])
    places = {(box.x, box.y) for column in drawn.columns for box in column.boxes}
    assert len(places) == 2 * (count + 1)
    assert all(0 < x < drawn.width and 0 < y < drawn.height for x, y in places)


def test_a_rank_size_plot_falls_from_left_to_right() -> None:
    chart = charts.rank_size([10_000 // rank for rank in range(1, 2000)], PLAIN)
    assert chart is not None
    points = [tuple(map(float, pair.split(","))) for pair in chart.line.points.split()]
    assert len(points) < 400
    assert points == sorted(points)
    downs = [down for _, down in points]
    assert downs == sorted(downs)
    assert points[0][0] == chart.left
    assert chart.top <= downs[0] < downs[-1] <= chart.bottom
    assert [tick.text for tick in chart.x_ticks] == ["1.0", "10.0", "100.0", "1000.0"]


@pytest.mark.parametrize("sizes", [[], [0, 0], [7], [5, 5], [1, 1, 1]])
def test_few_or_equal_sizes_are_drawn_or_left_out(sizes: list[int]) -> None:
    assert (charts.rank_size(sizes, PLAIN) is None) == (len([one for one in sizes if one]) < 2)


def test_a_curve_begins_at_nothing_and_bears_rest() -> None:
    assert charts.over_time([(0, 1)], PLAIN) is None
    flat = charts.over_time([(0, 0), (5, 0)], PLAIN)
    assert flat is not None
    assert {pair.split(",")[1] for pair in flat.line.points.split()} == {f"{flat.bottom:.1f}"}


def test_curves_have_a_picture_and_the_same_numbers() -> None:
    looks = [LagSample(100.0, 2048, 0.0), LagSample(102.5, 8192, 1024.4)]
    assert rebalance.curves(looks[:1]) == []
    copied = [LagSample(at, None, 7.0) for at in (1.0, 2.0)]
    assert [one.label for one in rebalance.curves(copied)] == ["Rate"]
    lag, rate = rebalance.curves(looks)
    assert (lag.numbers["data"], lag.numbers["unit"]) == ([[-2.5, 0.0], [2048, 8192]], "")
    assert (rate.numbers["data"], rate.numbers["unit"]) == ([[-2.5, 0.0], [0, 1024]], "/s")
    assert [tick.text for tick in rate.chart.y_ticks][-1] == "4.0 KiB/s"


def test_files_of_others_are_as_they_were_taken() -> None:
    """And each is written down, with its licence."""
    told = (rendering.STATIC / "VENDORED.md").read_text()
    listed = dict(re.findall(r"^\| `([^`]+)` .* `([0-9a-f]{64})` \|$", told, re.MULTILINE))
    there = {one.name for one in rendering.STATIC.iterdir() if ".min." in one.name}
    assert set(listed) == there
    for name, digest in listed.items():
        assert hashlib.sha256((rendering.STATIC / name).read_bytes()).hexdigest() == digest, name


def test_the_ring_stands_beside_the_placement() -> None:
    shards = (cluster("shard-1"), cluster("shard-2"), cluster("shard-3", status="draining"))
    statistics = {"shard-1": ShardStatistics("shard-1", 30, 30, 0, 900)}
    statistics["shard-3"] = ShardStatistics("shard-3", 10, 10, 0, 100)
    shares = ring_shares(shards, statistics)
    assert sum(one.share for one in shares) == pytest.approx(1)
    assert [one.of_clients for one in shares] == [0.75, 0, 0.25]
    assert (shares[2].share, shares[2].of_bytes) == (0, 0.1)


def test_one_more_shard_takes_from_each_and_nobody_gains() -> None:
    shards = [cluster(f"shard-{number}") for number in (1, 2, 7)]
    told = one_more(ring_shares(shards, {"shard-1": ShardStatistics("shard-1", 400, 0, 0, 8000)}))
    assert told is not None
    assert told.name == "shard-8"
    assert all(part > 0 for part in told.given.values())
    assert sum(told.given.values()) == pytest.approx(told.share)
    assert told.share == pytest.approx(0.25, abs=0.05)
    assert told.clients == round(400 * told.share)
    assert one_more([]) is None


def test_moves_at_work_stand_first_with_what_was_foreseen() -> None:
    ended, working, waiting = move("swept"), copying(0.5, 3), move()
    rows = rebalance.in_view(seen(ended, waiting, working, switched(8)).moves)
    assert [one.move.state for one in rows] == ["copying", "switched", "planned", "swept"]
    row = rebalance.move_row(rows[1])
    assert (row.seconds, row.foreseen_seconds, row.pause_ms) == (8.0, 10.0, 20.0)
    assert row.foreseen_pause_ms is None


def test_reasons_are_trimmed_and_bounded() -> None:
    assert rebalance.reason_of({}) is None
    assert rebalance.reason_of({"reason": "  "}) is None
    assert rebalance.reason_of({"reason": f" {'x' * 900}"}) == "x" * 500


def test_ranks_are_few_and_spread_over_the_decades() -> None:
    def tenant(number: int) -> ClientStatistics:
        unknown: dict[str, Any] = dict.fromkeys(ClientStatistics.__slots__)
        named = {"client_id": UUID(int=number), "code": f"t{number}", "bytes": 1}
        return ClientStatistics(**unknown | named)

    told = tenants.ranks([tenant(number) for number in range(1, 121)])
    assert [one.rank for one in told] == [1, 2, 5, 10, 20, 50, 100]
    assert [one.code for one in told][:3] == ["t1", "t2", "t5"]


def test_a_filter_is_what_was_filled_in_and_the_command_says_the_same() -> None:
    given = audit.asked({"client": " acme ", "action": "", "user_id": "7", "cursor": "x"})
    assert given == {"client": "acme", "user_id": "7"}
    assert audit.command(given) == "docshard audit list --client acme --user 7"
    assert audit.command({}) == "docshard audit list --global"
    pasted = audit.command({"action": "x; rm -rf ~"})
    assert shlex.split(pasted)[-2:] == ["--action", "x; rm -rf ~"]


def test_values_that_nobody_knows_are_a_dash() -> None:
    for name in ("size", "duration", "lag", "percent", "moment", "lsn", "rate", "count", "ms"):
        assert words.FILTERS[name](None) == "–"
    assert words.lag(0) == "none"
    assert words.lag(0.02) == "20 ms"
    assert words.lsn(0x1_0000_00FF) == "1/FF"
    assert words.percent(0.3333) == "33.3 %"

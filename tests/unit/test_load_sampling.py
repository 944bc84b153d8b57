"""What is watched beside a load: /proc, the routers' page of figures, moves. Pure."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from deploy.cli.moves_view import move_document
from deploy.local import processes as local
from loadtests.runs.moments import Kind, Series, Value
from loadtests.sampling import figures, moves
from loadtests.sampling.moves import Move
from loadtests.sampling.processes import (
    HOME_MARK,
    PART_MARK,
    Process,
    Usage,
    Used,
    marked,
    parsed,
    usage,
)
from services.exposition.family import Family, counter, gauge, text
from services.fleet.move_progress import progress_of
from tests.unit.test_move_progress import NOW, switched

STAT = "4711 (a (b) c) S 4700 1 1 0 -1 0 0 0 0 0 {} 20 0 1 0 8123 1000 50"
START = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_process_may_have_any_name() -> None:
    assert parsed(STAT.format("11 7 2 1")) == Process(4711, 4700, 8123, 21)


def test_marks_are_those_of_the_local_fleet() -> None:
    assert (HOME_MARK, PART_MARK) == (local.HOME_MARK, local.PART_MARK)
    environment = f"A=1\0{HOME_MARK}=/home\0{PART_MARK}=router-1\0B\0".encode()
    assert marked(environment, Path("/home")) == "router-1"
    assert marked(environment, Path("/other")) is None
    assert marked(b"", Path("/home")) is None


def test_processor_time_is_told_of_parts_that_were_there_before() -> None:
    before = Usage(10.0, {"a": Used(1.0, 5), "gone": Used(9.0, 1)})
    now = Usage(12.0, {"a": Used(2.0, 6), "b": Used(3.0, 7)})
    assert list(usage(3, before, now)) == [
        Value(3, Series.MEMORY, "a", 6),
        Value(3, Series.CPU, "a", 50.0),
        Value(3, Series.MEMORY, "b", 7),
    ]


def page(shard: str, grown: float, lag: float, primary: float = 1) -> str:
    families: list[Family] = [
        counter("docshard_pool_wait_seconds_total", "told", [({"shard": shard}, grown)]),
        gauge("docshard_replica_lag_seconds", "told", [({"shard": shard}, lag)]),
        gauge("docshard_primary_known", "told", [({"shard": shard}, primary)]),
        gauge("docshard_cache_entries", "not asked for", [({"cache": "placement"}, 3)]),
    ]
    return text(families).decode()


def test_counters_are_told_as_they_grow_and_of_lags_the_worst() -> None:
    name = 'sh"ard\\1'
    before = figures.look([page(name, 5, 1), page(name, 7, 2)], at=10)
    now = figures.look([page(name, 6, 4), page(name, 8, 3)], at=12)
    assert list(figures.grown(7, before, now)) == [
        Value(7, Series.POOL_WAIT, name, 1.0),
        Value(7, Series.LAG, name, 4),
    ]


def test_a_router_that_began_anew_counts_from_nothing() -> None:
    before, now = (figures.look([page("s", grown, 0)], at) for grown, at in ((50, 1), (3, 2)))
    assert Value(1, Series.POOL_WAIT, "s", 3) in list(figures.grown(1, before, now))


def test_a_router_that_did_not_answer_grows_nothing() -> None:
    before, now = figures.look([], 1), figures.look([page("s", 50, 0)], 2)
    assert [value.series for value in figures.grown(1, before, now)] == [Series.LAG]


def test_a_lost_primary_is_an_event() -> None:
    looks = [figures.look([page("s", 0, 0, known)], 0).primaries for known in (1, 0, 0, 1)]
    told = [
        event.text for before, now in pairwise(looks) for event in figures.primaries(0, before, now)
    ]
    assert told == ["s has no primary that routers know", "s has a primary again"]


def test_moves_become_copies_fences_and_switches() -> None:
    switched = START + timedelta(seconds=20)
    phases = {"copying": 5.0, "catching_up": 1.0, "verifying": 1.5, "fenced": 0.1, "switched": 9}
    done = {
        "source": "shard-1",
        "target": "shard-2",
        "state": "swept",
        "state_since": START,
        "switched_at": switched,
        "actual": {"pause_ms": 100.0, "phases": phases},
    }
    aborted = done | {"state": "aborted", "switched_at": None, "actual": {}}
    planned = done | {"state": "planned", "switched_at": None, "actual": {}}
    before = done | {"switched_at": START - timedelta(seconds=1)}
    found = [Move.model_validate(one) for one in (done, aborted, planned, before)]
    told = [(one.second, one.kind) for one in moves.events(found, START, 60)]
    assert told == [
        (pytest.approx(12.4), Kind.COPY),
        (pytest.approx(19.9), Kind.FENCE),
        (pytest.approx(20), Kind.SWITCH),
        (0, Kind.NOTE),
    ]


def test_moves_are_read_as_the_command_writes_them() -> None:
    written = orjson.dumps(move_document(progress_of(switched(10))), default=str)
    found = list(moves.events([Move.model_validate_json(written)], NOW - timedelta(hours=1), 3600))
    fenced, switch = found[1].second, found[2].second
    assert [event.kind for event in found] == [Kind.COPY, Kind.FENCE, Kind.SWITCH]
    assert switch - fenced == pytest.approx(0.02)
    assert fenced - found[0].second == pytest.approx(10)
    assert found[0].text == "shard-1 → shard-3: copying began"

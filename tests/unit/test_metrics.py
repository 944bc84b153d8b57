"""Figures: their text, their size, how processes add up, and who may read them."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr
from starlette.requests import Request

from global_db import errors
from global_db.cluster import Cluster, Login, NodeAddress, PoolLimits
from global_db.tally import ClusterTally, Histogram
from router.app import all_routes
from router.figures import RequestFigures
from router.figures_page import FiguresPage
from router.problems import STATUS
from router.routes.metrics import may_read
from services import metrics
from services.expiring_cache import ExpiringCache
from services.exposition.family import (
    Family,
    counter,
    gauge,
    histogram,
    labelled,
    merged,
    parsed,
    text,
)
from services.exposition.places import STALE_SECONDS, Place
from services.metrics_settings import MetricsSettings
from services.resources import Resources
from shards.fence_tally import FenceTally
from shards.residency import Fenced, NotResident, StaleEpoch
from tests.lacking import lacking

SHARDS = 64
MOST_BYTES = 200_000
FAILURES = (
    errors.ClusterUnavailable,
    errors.ConnectionLost,
    errors.PoolExhausted,
    errors.StatementTimeout,
    errors.OutcomeUnknown,
)


def busy_cluster(name: str) -> Cluster:
    """Everything that can be counted of it is."""
    addresses = [NodeAddress(name=f"{name}-{n}", host="127.0.0.1", port=5000 + n) for n in (1, 2)]
    tally = ClusterTally(pool_seconds=12345.678901)
    for counted in (tally.primary, tally.replica):
        for seconds in (0.001, 0.05, 0.5, 5.0):
            for _ in range(123):
                counted.observe(seconds)
    for kind in FAILURES:
        tally.failures[kind] = 1234
    login = Login("docshard_app", "not a password", "docshard", serves=True)
    return Cluster(name, addresses, login, PoolLimits(), tally)


def busy_fleet(shards: int) -> Resources:
    names = [f"shard-{number}" for number in range(1, shards + 1)]
    fences = FenceTally(waiting=3)
    for name in names:
        for kind in (Fenced, NotResident, StaleEpoch):
            fences.refusals[name, kind] = 12345
    data = SimpleNamespace(
        global_db=busy_cluster("global"),
        registry=SimpleNamespace(clusters=lambda: [busy_cluster(name) for name in names]),
        tenants=SimpleNamespace(
            fences=fences, rooms=SimpleNamespace(slow={"documents": 12345, "bytes": 12345})
        ),
        placements=ExpiringCache[str, str](1),
    )
    return cast(Resources, SimpleNamespace(data=data, principals=ExpiringCache[str, str](1)))


def every_request() -> RequestFigures:
    """Every operation answered in every way, as often as in a long life."""
    figures = RequestFigures()
    names = [getattr(route, "operation_id", None) or "none" for route in all_routes()]
    for name in names:
        for status in (200, 404, 503):
            for seconds in (0.001, 0.05, 0.2, 0.3, 0.7, 2.0, 9.0):
                for _ in range(123):
                    figures.count(name, status, seconds, None)
    for code in STATUS:
        figures.count("none", 400, 0.1, code)
    return figures


@pytest.fixture(scope="module")
async def largest_page() -> bytes:
    return text([*every_request().families(0), *metrics.figures(busy_fleet(SHARDS))])


def test_64_busy_shards_stay_below_200_kb(largest_page: bytes) -> None:
    assert f'shard="shard-{SHARDS}"'.encode() in largest_page
    assert len(largest_page) < MOST_BYTES


def test_promtool_has_no_complaint(largest_page: bytes) -> None:
    command = [shutil.which("promtool") or lacking("promtool is not installed"), "check", "metrics"]
    done = subprocess.run(command, input=largest_page, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_labels_are_of_the_programs_own_making(largest_page: bytes) -> None:
    """Never a client's id, never a path: operations, shards, roles, codes and the like."""
    page = largest_page.decode()
    assert "/" not in "".join(line for line in page.splitlines() if not line.startswith("#"))
    assert "client" not in {part.partition("=")[0] for part in page.replace("{", ",").split(",")}


def test_a_histogram_counts_what_is_at_most_its_bound() -> None:
    counted = Histogram((0.1, 1.0))
    for seconds in (0.1, 0.5, 2.0):
        counted.observe(seconds)
    page = text([histogram("h", "Times.", [({"a": 'b"\\\n'}, counted)])]).decode()
    assert page.splitlines() == [
        "# HELP h Times.",
        "# TYPE h histogram",
        r'h_bucket{a="b\"\\\n",le="0.1"} 1',
        r'h_bucket{a="b\"\\\n",le="1"} 2',
        r'h_bucket{a="b\"\\\n",le="+Inf"} 3',
        r'h_sum{a="b\"\\\n"} 2.6',
        r'h_count{a="b\"\\\n"} 3',
    ]


def test_a_histogram_has_what_was_only_noted_yet_and_all_before_it() -> None:
    counted = Histogram((0.1, 1.0))
    for number in range(250):
        counted.observe(0.05 if number % 2 else 0.5)
        if number in (0, 99, 100, 249):
            assert sum(counted.counts) == number + 1
    assert counted.counts == [125, 125, 0]
    assert counted.seconds == pytest.approx(125 * 0.55)


def test_a_samples_labels_are_read_as_they_were_written() -> None:
    labels = {"shard": 'a"b\\n\n{,}=', "kind": "x"}
    assert parsed(labelled("h_count", labels)) == ("h_count", labels)
    assert parsed(labelled("plain", {})) == ("plain", {})


def test_processes_add_up_or_the_worst_is_told() -> None:
    one, other = (
        [
            counter("c_total", "C.", [({}, value)]),
            gauge("known", "K.", [({}, value)], "min"),
            gauge("lag", "L.", [({}, value)], "max"),
        ]
        for value in (1, 5)
    )
    assert [family.samples for family in merged([one, other])] == [
        {"c_total": 6},
        {"known": 1},
        {"lag": 5},
    ]


def counted(number: int) -> list[Family]:
    return [counter("c_total", "C.", [({}, number)]), gauge("g", "G.", [({}, number)])]


def told(families: Sequence[Family]) -> dict[str, float]:
    return {name: value for family in families for name, value in family.samples.items()}


def test_a_sum_never_shrinks_when_a_worker_is_replaced(tmp_path: Path) -> None:
    first, second = Place(tmp_path), Place(tmp_path)
    first.write(counted(10))
    second.write(counted(5))
    assert told(first.all()) == told(second.all()) == {"c_total": 15, "g": 15}
    first.leave()  # what the kernel does when its process is killed
    heir = Place(tmp_path)
    assert told(heir.all()) == {"c_total": 15, "g": 15}
    heir.write(counted(1))
    assert told(heir.all()) == {"c_total": 16, "g": 6}
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_who_does_not_write_any_more_is_not_there(tmp_path: Path) -> None:
    Place(tmp_path).write(counted(10))
    long_ago = time.time() - STALE_SECONDS - 1
    os.utime(tmp_path / "0.json", (long_ago, long_ago))
    reader = Place(tmp_path)
    reader.write(counted(1))
    assert told(reader.all())["c_total"] == 11
    assert told(reader.all())["g"] == 1


def test_what_was_not_written_to_its_end_keeps_nobody_from_starting(tmp_path: Path) -> None:
    (tmp_path / "0.json").write_bytes(b"")
    (tmp_path / "1.json").write_text('[{"name":"of another release"}]')
    place = Place(tmp_path)
    place.write(counted(1))
    assert told(place.all()) == {"c_total": 1, "g": 1}


async def test_figures_are_told_while_the_disk_is_full(tmp_path: Path) -> None:
    """I10: when there is room again, the others hear of them again."""
    requests, other = RequestFigures(), Place(tmp_path)
    page = FiguresPage(busy_fleet(1), partial(requests.families, 0), Place(tmp_path))
    no_room = tmp_path / "1.new"
    no_room.mkdir()  # so it cannot be written
    await page.write()
    requests.count("get_document", 200, 0.1, None)
    counted_one = {'docshard_requests_total{route="get_document",status="2xx"}': 1}.items()
    assert counted_one <= told(page.families()).items()
    assert not counted_one <= told(other.all()).items()
    no_room.rmdir()
    await page.write()
    assert counted_one <= told(other.all()).items()


@dataclass
class Asking:
    address: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)

    def request(self) -> Request:
        given = [(name.lower().encode(), text.encode()) for name, text in self.headers.items()]
        scope: dict[str, Any] = {"type": "http", "client": (self.address, 1), "headers": given}
        return Request(scope)


NEAR = MetricsSettings()
FAR = MetricsSettings(networks=(ip_network("10.0.0.0/8"),), token=SecretStr("t0ken-of-prometheus"))
TOKEN = {"Authorization": "Bearer t0ken-of-prometheus"}


@pytest.mark.parametrize(
    ("settings", "asking", "allowed"),
    [
        (NEAR, Asking(), True),
        (NEAR, Asking("::1"), True),
        (NEAR, Asking("10.1.2.3"), False),
        (NEAR, Asking("a socket"), False),
        (NEAR, Asking(headers={"X-Forwarded-For": "127.0.0.1"}), False),
        (NEAR, Asking(headers={"Forwarded": "for=127.0.0.1"}), False),
        (NEAR, Asking("10.1.2.3", TOKEN), False),
        (FAR, Asking("10.1.2.3"), True),
        (FAR, Asking("127.0.0.1"), False),
        (FAR, Asking("192.0.2.1", TOKEN), True),
        (FAR, Asking("192.0.2.1", TOKEN | {"X-Forwarded-For": "192.0.2.9"}), True),
        (FAR, Asking("192.0.2.1", {"Authorization": "Bearer t0ken"}), False),
    ],
)
def test_who_may_read_them(settings: MetricsSettings, asking: Asking, allowed: bool) -> None:
    assert may_read(settings, asking.request()) is allowed

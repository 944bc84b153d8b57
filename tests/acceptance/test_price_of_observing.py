"""What figures and logs cost of a routed read: processor time of two routers, by turns.

Turns are short, so that whatever slows the machine down slows neighbours down. Two processes of one
program differ by a part in a hundred for as long as they live, by where things lie in memory and in
dictionaries: so addresses and hashes are the same in all, and there are several pairs.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.fleet.environment import parse_environment
from deploy.local import ports
from deploy.local.home import Home
from tests.acceptance.api import Tenant
from tests.acceptance.fleet import LocalFleet, until

DEAREST = 0.03
"""Of a read, at most so much may be for looking at it."""
PAIRS, ROUNDS, REQUESTS = 4, 24, 125
FORMS = {"with": "router", "without": "tests.acceptance.bare_router"}


class Router:
    """One worker, and a caller that reads one document again and again."""

    def __init__(self, process: int, http: httpx.Client, path: str) -> None:
        self._tasks = Path(f"/proc/{process}/task")
        self._http = http
        self._path = path

    def cost(self, requests: int) -> float:
        """Microseconds of processor time for one request."""
        before = self._nanoseconds()
        for _ in range(requests):
            assert self._http.get(self._path).status_code == 200
        return (self._nanoseconds() - before) / requests / 1000

    def _nanoseconds(self) -> int:
        found = (task / "schedstat" for task in self._tasks.iterdir())
        return sum(int(one.read_text().split()[0]) for one in found)


@contextmanager
def serving(fleet: LocalFleet, tenant: Tenant, module: str, log: Path) -> Iterator[Router]:
    port = ports.free()
    variables = parse_environment(Home(fleet.home).service_env.read_text()) | {
        "DOCSHARD_LISTEN_PORT": str(port),
        "DOCSHARD_ROUTER_WORKERS": "1",
        "DOCSHARD_LOG_REQUESTS": "all",
        "DOCSHARD_LOG_FORMAT": "json",
        "DOCSHARD_REQUESTS_PER_SECOND_PER_PRINCIPAL": "1000000",
        "DOCSHARD_REQUESTS_PER_SECOND_PER_CLIENT": "1000000",
    }
    alike = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "0"}
    clean = {name: text for name, text in os.environ.items() if not name.startswith("DOCSHARD_")}
    with log.open("wb") as output, ExitStack() as stack:
        router = subprocess.Popen(
            ["setarch", "--addr-no-randomize", sys.executable, "-P", "-m", module],
            env=clean | variables | alike,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        stack.callback(router.wait, 20)
        stack.callback(router.terminate)
        bearer = {"Authorization": tenant.http.headers["Authorization"]}
        http = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=bearer, timeout=20)
        stack.enter_context(http)
        until(lambda: ready(http), seconds=90)
        yield Router(router.pid, http, tenant.path(tenant.make_document()))


def ready(http: httpx.Client) -> bool:
    try:
        return http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.torture
def test_figures_and_logs_cost_little_of_a_read(
    fleet: LocalFleet, tenant: Tenant, tmp_path: Path
) -> None:
    costs: dict[str, list[float]] = {name: [] for name in FORMS}
    lines = 0
    for number in range(PAIRS):
        (folder := tmp_path / str(number)).mkdir()
        for name, found in pair(fleet, tenant, folder).items():
            costs[name] += found
        lines += (folder / "with").read_text().count('"route":"get_document"')
    assert lines >= PAIRS * ROUNDS * REQUESTS
    for name, found in costs.items():
        told = f"{name:8} {statistics.median(found):8.0f} µs of processor time a read\n"
        sys.stdout.write(told)
    ratios = [one / other - 1 for one, other in zip(costs["with"], costs["without"], strict=True)]
    low, price, high = statistics.quantiles(ratios, n=4)
    of_pairs = [statistics.median(ratios[at : at + ROUNDS]) for at in range(0, len(ratios), ROUNDS)]
    sys.stdout.write(
        f"figures and a line for each request cost {price:.1%}; half of the rounds lie between"
        f" {low:.1%} and {high:.1%}, pairs at {', '.join(f'{one:.1%}' for one in of_pairs)}\n"
    )
    assert price <= DEAREST


def pair(fleet: LocalFleet, tenant: Tenant, logs: Path) -> dict[str, list[float]]:
    """Two routers that begin together; what a read costs each, round by round."""
    with ExitStack() as stack:
        routers = {
            name: stack.enter_context(serving(fleet, tenant, module, logs / name))
            for name, module in FORMS.items()
        }
        for router in routers.values():
            router.cost(4 * REQUESTS)
        costs: dict[str, list[float]] = {name: [] for name in FORMS}
        for number in range(ROUNDS):
            # Whoever comes second may find warmer caches: they take turns at that, too.
            for name in sorted(FORMS, reverse=bool(number % 2)):
                costs[name].append(routers[name].cost(REQUESTS))
        return costs

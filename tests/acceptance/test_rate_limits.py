"""Limits of requests per principal and per client, told by headers; nobody starves the others."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from deploy.fleet.environment import parse_environment
from deploy.local import ports
from deploy.local.home import Home
from tests.acceptance.api import make_key
from tests.acceptance.fleet import LocalFleet, until
from tests.acceptance.stage import Stage

PRINCIPAL, CLIENT, BURST = 6, 12, 2
"""Requests a second of one principal and of one client; seconds that may be used up at once."""


@pytest.fixture(scope="module")
def strict(fleet: LocalFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One more router of the fleet, with one worker and low limits; answers its address."""
    log = tmp_path_factory.mktemp("router") / "log"
    port = ports.free()
    variables = parse_environment(Home(fleet.home).service_env.read_text()) | {
        "DOCSHARD_LISTEN_PORT": str(port),
        "DOCSHARD_ROUTER_WORKERS": "1",
        "DOCSHARD_REQUESTS_PER_SECOND_PER_PRINCIPAL": str(PRINCIPAL),
        "DOCSHARD_REQUESTS_PER_SECOND_PER_CLIENT": str(CLIENT),
    }
    clean = {name: text for name, text in os.environ.items() if not name.startswith("DOCSHARD_")}
    with log.open("wb") as output:
        router = subprocess.Popen(
            [sys.executable, "-P", "-m", "router"],
            env=clean | variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: ready(address), seconds=60)
        yield address
    finally:
        router.terminate()
        router.wait(20)


def ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def keys_of(stage: Stage, strict: str, number: int) -> Iterator[tuple[str, list[httpx.Client]]]:
    """A client's documents, and callers with a key of their own each."""
    client_id = stage.client()
    with ExitStack() as stack:
        callers = []
        for _ in range(number):
            key = make_key(stage.admin, client_id, ("document:read",))["key"]
            bearer = {"Authorization": f"Bearer {key}"}
            http = httpx.Client(base_url=strict, headers=bearer, timeout=20)
            callers.append(stack.enter_context(http))
        yield f"/v1/clients/{client_id}/documents", callers


def spend(callers: list[httpx.Client], path: str, times: int) -> list[httpx.Response]:
    """Ask as fast as one can, in turns."""
    return [callers[number % len(callers)].get(path) for number in range(times)]


def policies(answer: httpx.Response) -> set[str]:
    return {part.split(";")[0].strip('" ') for part in answer.headers["RateLimit"].split(",")}


def assert_refused(answer: httpx.Response, policy: str) -> int:
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert policy in answer.json()["detail"]
    assert f'"{policy}";r=0' in answer.headers["RateLimit"]
    assert f'"{policy}";q=' in answer.headers["RateLimit-Policy"]
    return int(answer.headers["Retry-After"])


def test_a_principal_meets_its_limit_and_comes_back(stage: Stage, strict: str) -> None:
    with keys_of(stage, strict, 2) as (path, (hasty, calm)):
        answers = spend([hasty], path, 4 * PRINCIPAL * BURST)
        assert answers[0].status_code == 200
        assert policies(answers[0]) == {"principal", "client"}
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert len(answers) - len(refused) >= PRINCIPAL * BURST
        # The shortest time that the header can say: its share gives one more request within that.
        assert {assert_refused(answer, "principal") for answer in refused} == {1}
        # Another key of the same client still has its own share.
        assert calm.get(path).status_code == 200
        until(lambda: hasty.get(path).status_code == 200)


def test_the_keys_of_a_client_share_its_limit(stage: Stage, strict: str) -> None:
    with keys_of(stage, strict, 8) as (path, callers):
        answers = spend(callers, path, 6 * CLIENT * BURST)
        refused = [answer for answer in answers if answer.status_code == 429]
        of_client = [one for one in refused if "client" in one.json()["detail"]]
        assert of_client
        for answer in of_client:
            assert_refused(answer, "client")


def test_one_tenant_does_not_starve_the_other(stage: Stage, strict: str) -> None:
    """While one asks without end, the other's requests within its share are all served."""
    with (
        keys_of(stage, strict, 3) as (greedy_path, greedy),
        keys_of(stage, strict, 1) as (modest_path, (modest,)),
    ):
        enough, refusals = threading.Event(), []

        def ask_without_end(http: httpx.Client) -> None:
            while not enough.is_set():
                refusals.append(http.get(greedy_path).status_code == 429)

        threads = [threading.Thread(target=ask_without_end, args=[http]) for http in greedy]
        for thread in threads:
            thread.start()
        try:
            until(lambda: sum(refusals) > 50)
            statuses = [modest.get(modest_path).status_code for _ in range(PRINCIPAL * BURST)]
        finally:
            enough.set()
            for thread in threads:
                thread.join()
    assert statuses == [200] * PRINCIPAL * BURST


def test_a_refused_request_costs_a_stranger_nothing(stage: Stage, strict: str) -> None:
    """Who may not see a client cannot use up its share."""
    with (
        keys_of(stage, strict, 1) as (path, (owner,)),
        keys_of(stage, strict, 4) as (_, strangers),
    ):
        answers = spend(strangers, path, 4 * PRINCIPAL * BURST)
        assert {answer.status_code for answer in answers} <= {404, 429}
        assert all(policies(answer) == {"principal"} for answer in answers)
        assert owner.get(path).status_code == 200

"""Seeding goes on where it was interrupted, and the load test is honest about its fleet."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.corpus import find_corpus
from deploy.demo.plan import missing, plan
from deploy.demo.seed import DemoResult, seed
from deploy.demo.tenants import TENANTS
from docshard_client import Docshard
from loadtests.runs.folder import read
from loadtests.runs.moments import Series
from loadtests.tenants import MARK
from tests.acceptance.fleet import LocalFleet
from tests.acceptance.lying_proxy import lying_proxy

DOCUMENTS = 60


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


async def run(fleet: LocalFleet, done: list[int], stop_at: int | None = None) -> DemoResult:
    def progress(finished: int, _: int) -> None:
        done.append(finished)
        if finished == stop_at:
            raise Interrupted

    variables = fleet.variables
    email, password = (variables[f"DOCSHARD_ADMIN_{n}"] for n in ("EMAIL", "PASSWORD"))
    return await seed(fleet.api, email, password, progress, DOCUMENTS)


@pytest.fixture(scope="module")
async def seeded(fleet: LocalFleet) -> DemoResult:
    with pytest.raises(Interrupted):
        await run(fleet, [], stop_at=DOCUMENTS // 3)
    rest: list[int] = []
    result = await run(fleet, rest)
    assert 0 < max(rest) <= DOCUMENTS * 2 // 3  # what was done was not done again
    return result


@pytest.fixture(scope="module")
def admin(fleet: LocalFleet) -> Iterator[Docshard]:
    variables = fleet.variables
    with Docshard(fleet.api) as api:
        api.login(variables["DOCSHARD_ADMIN_EMAIL"], variables["DOCSHARD_ADMIN_PASSWORD"])
        yield api


def test_every_tenant_holds_what_was_planned_and_nothing_twice(
    seeded: DemoResult, admin: Docshard
) -> None:
    clients = {client.code: client.id for client in admin.list_clients()}
    for collection in plan(find_corpus(DOCUMENTS)):
        client_id = clients[collection.tenant.code]
        present = list(admin.list_documents(client_id, deleted="include"))
        assert missing(collection, present) == []
        assert len(present) == len(collection.documents)
    assert sum(shard.documents for shard in seeded.shards.values()) == DOCUMENTS
    assert sum(shard.clients for shard in seeded.shards.values()) == len(TENANTS)


def test_the_files_are_the_files_of_this_machine(fleet: LocalFleet, seeded: DemoResult) -> None:
    files = {file.relative: file for file in find_corpus(DOCUMENTS)}
    with Docshard(fleet.api, seeded.key) as api:
        for document in api.list_documents(seeded.client_id):
            content = api.get_content(seeded.client_id, document.id)
            assert content == files[str(document.metadata["path"])].read()


async def test_seeding_again_does_nothing(fleet: LocalFleet, seeded: DemoResult) -> None:
    done: list[int] = []
    again = await run(fleet, done)
    assert (again.client_id, done) == (seeded.client_id, [])


def load(
    fleet: LocalFleet, into: Path, *arguments: str, **changes: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loadtests", "run", "--into", str(into), *arguments],
        env=fleet.environment | fleet.variables | changes,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.usefixtures("seeded")
def test_a_load_test_passes_on_a_healthy_fleet(fleet: LocalFleet, tmp_path: Path) -> None:
    done = load(fleet, tmp_path / "run", "--seconds", "4", "--users", "4", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split()[0] == "operation"
    assert {row[:20].strip() for row in rows} >= {"get document", "create document", "all"}
    recorded = read(tmp_path / "run")
    ledger = recorded.run.ledger
    assert ledger is not None
    assert ledger.acknowledged > 0
    assert ledger.balanced
    assert {value.series for value in recorded.values} >= {Series.REQUESTS, Series.CPU}
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.usefixtures("seeded")
def test_nothing_of_a_load_test_stays_behind(admin: Docshard) -> None:
    demo = [client for client in admin.list_clients() if client.metadata.get("demo")]
    assert demo
    for client in demo:
        assert not [one for one in admin.list_documents(client.id) if MARK in one.metadata]


@pytest.mark.usefixtures("seeded")
def test_a_wrong_answer_and_a_lost_write_fail_a_load_test(
    fleet: LocalFleet, tmp_path: Path
) -> None:
    with lying_proxy(fleet.api) as address:
        # The open model, and times that no answer can reach behind a proxy this slow.
        arguments = ("--scenario", "steady", "--seconds", "4", "--rate", "15")
        done = load(fleet, tmp_path / "run", *arguments, DOCSHARD_API=address)
    assert done.returncode == 1, done.stdout + done.stderr
    run = read(tmp_path / "run").run
    assert run.ledger is not None
    assert run.ledger.missing == 1
    assert "I1: missing" in done.stderr
    wrong = next(gate for gate in run.gates if gate.name == "wrong answers")
    assert not wrong.passed
    told = {error.error for operation in run.operations for error in operation.errors}
    assert "another document" in told


def test_a_load_test_without_a_fleet_says_so(fleet: LocalFleet, tmp_path: Path) -> None:
    done = load(fleet, tmp_path / "run", DOCSHARD_API="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Cannot load the fleet" in done.stderr
    assert not (tmp_path / "run").exists()

"""Seeding goes on where it was interrupted, and the load test is honest about its fleet."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from deploy.demo.corpus import find_corpus
from deploy.demo.plan import missing, plan
from deploy.demo.seed import DemoResult, seed
from deploy.demo.tenants import TENANTS
from docshard_client import Docshard
from tests.acceptance.fleet import LocalFleet

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


def load(fleet: LocalFleet, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loadtests.run", "--seconds", "4", "--users", "4"],
        env=os.environ | fleet.variables | changes,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


@pytest.mark.usefixtures("seeded")
def test_a_load_test_passes_on_a_healthy_fleet(fleet: LocalFleet) -> None:
    done = load(fleet)
    assert done.returncode == 0, done.stdout + done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split()[0] == "operation"
    assert {row[:20].strip() for row in rows} >= {"get document", "create document", "all"}


def test_a_load_test_without_a_fleet_says_so(fleet: LocalFleet) -> None:
    done = load(fleet, DOCSHARD_API="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Cannot load the fleet" in done.stderr

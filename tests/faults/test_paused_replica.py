"""A replica that hangs: reads with tokens are right all the same, and it comes back by itself."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.api import connect, log_in
from tests.acceptance.fleet import LocalFleet, until


@pytest.fixture(scope="module")
def api(fleet: LocalFleet) -> Iterator[httpx.Client]:
    with connect(fleet, log_in(fleet)) as client:
        yield client


@pytest.fixture(scope="module")
def documents(api: httpx.Client) -> str:
    """The address of a shard-1 tenant's documents; the ring decides, so a few are made."""
    while True:
        code = f"replica-{uuid4()}"
        made = api.post("/v1/clients", json={"code": code, "name": "A tenant"}).json()
        placement = api.get(f"/v1/clients/{made['id']}/placement").json()
        if placement["shard"] == "shard-1":
            return f"/v1/clients/{made['id']}/documents"


def write_and_read(api: httpx.Client, documents: str) -> httpx.Response:
    """Make a document, and read it with the token of that."""
    body = {"original_name": "a.txt", "mime_type": "text/plain"}
    made = api.post(documents, json=body)
    assert made.status_code == 201, made.text
    token = {"Consistency-Token": made.headers["Consistency-Token"]}
    found = api.get(f"{documents}/{made.json()['id']}", headers=token)
    assert found.status_code == 200, found.text
    return found


def test_reads_say_who_answered_and_how_old_the_answer_is(
    api: httpx.Client, documents: str
) -> None:
    plain = api.get(documents)
    assert (plain.headers["Served-By"], plain.headers["Replica-Lag-Ms"]) == ("primary", "0")

    def from_replica() -> bool:
        answer = api.get(documents, headers={"Max-Staleness": "5"})
        lag = int(answer.headers["Replica-Lag-Ms"])
        return answer.headers["Served-By"] == "replica" and 0 < lag <= 5000

    until(from_replica)
    until(lambda: write_and_read(api, documents).headers["Served-By"] == "replica")
    audited = api.get(f"{documents.rpartition('/')[0]}/audit-logs")
    assert audited.headers["Served-By"] == "replica"


@pytest.mark.parametrize("path", ["/v1/clients", "/v1/audit-logs"])
def test_the_directory_is_read_from_a_replica_where_the_caller_allows_it(
    api: httpx.Client, documents: str, path: str
) -> None:
    assert api.get("/v1/clients").headers["Served-By"] == "primary"

    def from_replica(**wanted: str) -> bool:
        answer = api.get(path, params=wanted, headers={"Max-Staleness": "5"})
        assert answer.status_code == 200, answer.text
        return answer.headers["Served-By"] == "replica"

    until(from_replica)
    if path == "/v1/clients":
        # What a replica does not know may be new: the primary has the last word.
        lacking = api.get(path, params={"code": str(uuid4())}, headers={"Max-Staleness": "5"})
        assert lacking.json()["items"] == []
        assert lacking.headers["Replica-Lag-Ms"]
    told = api.get(path, headers={"Max-Staleness": "0"})
    assert told.headers["Served-By"] == "primary"


def test_a_wrong_word_on_staleness_and_a_foreign_token_are_refused(
    api: httpx.Client, documents: str
) -> None:
    for headers, pointer in (
        ({"Max-Staleness": "soon"}, "#Max-Staleness"),
        ({"Max-Staleness": "3601"}, "#Max-Staleness"),
        ({"Consistency-Token": "AAAA"}, "#Consistency-Token"),
    ):
        refused = api.get(documents, headers=headers)
        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]


def test_a_paused_replica_is_left_out_and_comes_back(
    fleet: LocalFleet, api: httpx.Client, documents: str
) -> None:
    router = fleet.status()["router"].pid
    until(lambda: write_and_read(api, documents).headers["Served-By"] == "replica")
    try:
        fleet.run("pause", "shard-1-replica")
        answered = [write_and_read(api, documents) for _ in range(20)]
        # Two workers find out for themselves; then nobody waits.
        assert all(answer.headers["Served-By"] == "primary" for answer in answered[-10:])
    finally:
        fleet.run("resume", "shard-1-replica")
    until(lambda: write_and_read(api, documents).headers["Served-By"] == "replica")
    assert fleet.status()["router"].pid == router

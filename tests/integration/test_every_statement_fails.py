"""I5, I2: each change fails at each of its statements, and leaves all of its effect or nothing."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from services.blobs.store import BlobStore
from services.keys.local_file import create_key_file
from services.s3_settings import S3Settings
from tests.integration.changes import CHANGES, CHANGING, ELSEWHERE, Change, Maker
from tests.integration.databases import Fleet
from tests.integration.frames import COMMIT, Fault, How
from tests.integration.wired import GLOBAL, Row, Wired, wired_service

# Recorded before the bytes or the tenant they are for; left behind they are found and removed.
DEBRIS = {"put_content": "uploads", "create_client": "residency"}
_SHOWN_ONCE = "secret_already_shown"


@pytest.fixture(scope="module")
async def wired(
    fleet_dbs: Fleet,
    blobs: BlobStore,
    s3_settings: S3Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Wired]:
    key_file: Path = tmp_path_factory.mktemp("keys") / "key"
    create_key_file(key_file)
    async with wired_service(fleet_dbs, s3_settings, key_file) as made:
        yield made


@dataclass(frozen=True)
class Scene:
    """One operation, the databases it works on, and what one run of it does to them."""

    wired: Wired
    name: str
    maker: Maker
    clusters: tuple[str, ...]
    client_id: str | None
    """Whose rows are looked at; None: everybody's."""

    async def prepared(self) -> Change:
        return Change(CHANGING[self.name], await CHANGES[self.name](self.maker))

    async def call(self, change: Change) -> httpx.Response:
        return await self.wired.admin.request(
            change.operation.method,
            change.path,
            json=change.asked.json,
            content=change.asked.content,
            headers=change.headers,
        )

    async def rows(self) -> Counter[Row]:
        """Everything in the databases that a call could touch."""
        found: Counter[Row] = Counter()
        for cluster in self.clusters:
            found += await self.wired.rows(cluster, self.client_id)
        return found

    def shape(self, before: Counter[Row], after: Counter[Row]) -> Counter[tuple[str, str]]:
        """How many rows of which table went and came."""
        told: Counter[tuple[str, str]] = Counter()
        for sign, rows in (("-", before - after), ("+", after - before)):
            for _, table, _ in rows.elements():
                if table != DEBRIS.get(self.name):
                    told[sign, table] += 1
        return told

    def strike(self, fault: Fault | None) -> None:
        for cluster in self.clusters:
            self.wired.wires[cluster].fault = fault


async def scene_of(wired: Wired, name: str) -> Scene:
    client_id = await wired.client()
    home = await wired.home(client_id)
    on_shard = "/documents" in CHANGING[name].path
    everywhere = tuple(wired.wires) if name == "create_client" else (GLOBAL,)
    clusters, whose = ((home,), client_id) if on_shard else (everywhere, None)
    return Scene(wired, name, Maker(wired, client_id), clusters, whose)


def test_every_changing_operation_is_covered() -> None:
    assert set(CHANGES) | set(ELSEWHERE) == set(CHANGING)
    assert not set(CHANGES) & set(ELSEWHERE)


@pytest.mark.parametrize("name", CHANGES)
async def test_all_or_nothing(wired: Wired, name: str) -> None:
    """At the commit, and at every second statement from the first one on."""
    places = range(1, 1000, 2)
    assert await fail_everywhere(await scene_of(wired, name), places) >= 3


@pytest.mark.torture
@pytest.mark.parametrize("name", CHANGES)
async def test_all_or_nothing_at_every_statement(wired: Wired, name: str) -> None:
    # A transaction begins, enters, changes, records and commits.
    assert await fail_everywhere(await scene_of(wired, name), range(1, 1000)) >= 5


async def fail_everywhere(scene: Scene, places: range) -> int:
    """Let the operation fail at its so-manieth statements, and at each commit; answers how often.

    A cut that lasts cannot be mended by trying again inside, one after the commit need not be.
    """
    whole, tried = await clean_run(scene), 0
    for words, how, numbers in (
        (b"", How.BEFORE, places),
        (COMMIT, How.BEFORE, range(1, 1000)),
        (COMMIT, How.AFTER, range(1, 1000)),
    ):
        for at in numbers:
            if not await run_against(scene, Fault(how, at, words, how is How.BEFORE), whole):
                break
            tried += 1
    return tried


async def clean_run(scene: Scene) -> Counter[tuple[str, str]]:
    """What the operation does when nothing fails: one audit row is a part of it."""
    change = await scene.prepared()
    before = await scene.rows()
    answer = await scene.call(change)
    assert answer.is_success, answer.text
    whole = scene.shape(before, await scene.rows())
    audited = 0 if scene.name in {"create_upload", "abort_upload"} else 1
    assert whole["+", "audit_logs"] == (2 if scene.name == "batch_documents" else audited)
    return whole


async def run_against(scene: Scene, fault: Fault, whole: Counter[tuple[str, str]]) -> bool:
    """Call it while `fault` waits; False when it did not come to that."""
    change = await scene.prepared()
    before = await scene.rows()
    scene.strike(fault)
    answer = await scene.call(change)
    scene.strike(None)
    await scene.wired.healed()
    for cluster in scene.clusters:
        await scene.wired.at_rest(cluster)
    done = scene.shape(before, await scene.rows())
    told = (scene.name, fault, answer.status_code, answer.text)
    check_parts(done, whole, told)
    check_answer(answer, bool(done), fault, told)
    await again(scene, change, before, whole, happened=done == whole)
    return fault.met > 0


def check_parts(
    done: Counter[tuple[str, str]], whole: Counter[tuple[str, str]], told: object
) -> None:
    """All of it, nothing, or so many whole operations of a batch."""
    number = whole["+", "audit_logs"] or 1
    parts = [
        Counter({key: n * part // number for key, n in whole.items()}) for part in range(number + 1)
    ]
    assert done in [+one for one in parts], (told, done)


def check_answer(answer: httpx.Response, happened: bool, fault: Fault, told: object) -> None:
    """What happened is never told as a plain failure, what did not never as a success."""
    if not fault.met:
        assert answer.is_success, told
        return
    body = answer.json() if answer.content else {}
    codes = {(one["error"] or {}).get("code") for one in body.get("results", ())}
    codes |= {body.get("code")} if not answer.is_success else set()
    if happened and not answer.is_success:
        assert "outcome_unknown" in codes, told
    if not happened:
        assert codes & {"outcome_unknown", "shard_unavailable", "directory_unavailable"}, told


async def again(
    scene: Scene,
    change: Change,
    before: Counter[Row],
    whole: Counter[tuple[str, str]],
    *,
    happened: bool,
) -> None:
    """The same request once more has one effect, where it says which one it is."""
    keyed, matched = ("Idempotency-Key" in change.headers, "If-Match" in change.headers)
    if happened and not keyed and not matched:
        return
    answer = await scene.call(change)
    if happened and not keyed:
        assert answer.status_code in {404, 412}, (scene.name, answer.text)
    elif not answer.is_success:
        assert (happened, answer.json()["code"]) == (True, _SHOWN_ONCE), (scene.name, answer.text)
    assert scene.shape(before, await scene.rows()) == whole


async def trips(wired: Wired, caller: httpx.AsyncClient, path: str, **headers: str) -> int:
    """How often one create goes to its shard and back."""
    wire = wired.wires[await wired.home(path.split("/")[3])]
    new = {"original_name": "a.txt", "mime_type": "text/plain"}
    before = wire.trips
    answer = await caller.post(path, json=new, headers=headers)
    assert answer.status_code == 201
    return wire.trips - before


async def test_a_create_goes_twice_to_its_shard(wired: Wired) -> None:
    """Once to begin and enter, and once with the rows, the key and COMMIT. A key that is known is
    refused at that, and then claimed."""
    path = f"/v1/clients/{await wired.client()}/documents"
    assert await trips(wired, wired.admin, path) == 2
    assert await trips(wired, wired.admin, path, **{"Idempotency-Key": "once"}) == 2
    assert await trips(wired, wired.admin, path, **{"Idempotency-Key": "once"}) == 7

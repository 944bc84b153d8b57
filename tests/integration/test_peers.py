"""The peers of the benchmarks answer as the service does and store the same rows: else what is told
of the service beside them would be unfair, to one side or the other."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from starlette.applications import Starlette

from loadtests.peers import floor_asyncpg, floor_psycopg, idiomatic
from loadtests.peers.statements import COPY, TABLES, USER
from services.keys.local_file import create_key_file
from tests.integration.databases import Fleet
from tests.integration.postgres import APP, Database
from tests.integration.process import nowhere
from tests.integration.wired import Wired, wired_service

SECRET = "a secret of the benchmarks, long enough"
PEERS = ("floor-psycopg", "floor-asyncpg", "idiomatic")
NEW = {"original_name": "a.txt", "mime_type": "text/plain", "metadata": {"n": 1, "tags": ["a"]}}
# Told by each in its own way: who, when, which.
OWN = {"id", "audit_id", "entity_id", "created_at", "updated_at", "created_by", "user_id"}
OWN |= {"api_key_id", "request_id", "ip_address", "content_hash", "row_version"}


@dataclass(frozen=True)
class Bench:
    """The service and its peers, with a tenant that has a few documents."""

    wired: Wired
    shard: Database
    client_id: str
    callers: Mapping[str, httpx.AsyncClient] = field(repr=False)

    @property
    def path(self) -> str:
        return f"/v1/clients/{self.client_id}/documents"

    async def rows(self, table: str, order: str = "created_at DESC, id DESC") -> list[Any]:
        """All rows of the tenant."""
        async with self.shard.session() as session:
            text = f"SELECT * FROM docshard.{table} WHERE client_id = %s ORDER BY {order}"  # noqa: S608 - names of ours
            return await (await session.execute(text.encode(), [self.client_id])).fetchall()


@pytest.fixture(scope="module")
async def bench(fleet_dbs: Fleet, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    key_file: Path = tmp_path_factory.mktemp("keys") / "key"
    create_key_file(key_file)
    async with AsyncExitStack() as stack:
        wired = await stack.enter_async_context(wired_service(fleet_dbs, nowhere(), key_file))
        client_id = await wired.client()
        shard = fleet_dbs.shards[await wired.home(client_id)]
        for number in range(3):
            name = f"{number}.txt"
            await wired.made(f"/v1/clients/{client_id}/documents", NEW | {"original_name": name})
        async with shard.session() as session:
            for statement in (*TABLES, *COPY):
                await session.execute(statement)
        password = shard.server.password
        url = f"postgresql://{APP}:{password}@127.0.0.1:{shard.server.port}/{shard.name}"
        made = {
            "floor-psycopg": floor_psycopg.app(url),
            "floor-asyncpg": floor_asyncpg.app(url),
            "idiomatic": idiomatic.app(url, SECRET),
        }
        callers = {
            name: await stack.enter_async_context(called(app, client_id))
            for name, app in made.items()
        }
        yield Bench(wired, shard, client_id, callers)


@asynccontextmanager
async def called(app: Starlette, client_id: str) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of a running peer."""
    token = jwt.encode({"sub": client_id}, SECRET, idiomatic.ALGORITHM)
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 1234))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport,
            base_url="http://peer.test",
            headers={"Authorization": f"Bearer {token}"},
        ) as http,
    ):
        yield http


def comparable(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document with its times as times: they are written in several ways."""
    times = {name: document[name] for name in ("created_at", "updated_at")}
    return {**document, **{name: datetime.fromisoformat(text) for name, text in times.items()}}


@pytest.mark.parametrize("peer", PEERS)
async def test_a_document_is_the_same(bench: Bench, peer: str) -> None:
    ours = (await bench.wired.admin.get(bench.path)).json()["items"][0]
    theirs = await bench.callers[peer].get(f"{bench.path}/{ours['id']}")
    assert comparable(theirs.json()) == comparable(ours)


@pytest.mark.parametrize("peer", PEERS)
async def test_a_page_is_the_same(bench: Bench, peer: str) -> None:
    ours, theirs = [
        (await caller.get(f"{bench.path}?limit=2")).json()
        for caller in (bench.wired.admin, bench.callers[peer])
    ]
    assert [comparable(one) for one in theirs["items"]] == [comparable(o) for o in ours["items"]]
    assert theirs.keys() == ours.keys()
    assert ours["next_cursor"]
    assert theirs["next_cursor"]


@pytest.mark.parametrize("peer", PEERS)
async def test_a_new_document_leaves_the_same_rows(bench: Bench, peer: str) -> None:
    ours = await bench.wired.made(bench.path, NEW)
    theirs = await bench.callers[peer].post(bench.path, json=NEW)
    assert theirs.status_code == 201
    assert theirs.json().keys() == ours.keys()
    for table in ("documents", "audit_logs"):
        [mine, *_], [peers, *_] = await bench.rows(table), await bench.rows(f"peer_{table}")
        assert peers.keys() == mine.keys() - {"content_hash"}
        assert without_own(peers) == without_own(mine)


def without_own(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in OWN}


async def test_the_idiomatic_peer_lets_nobody_else_in(bench: Bench) -> None:
    http = bench.callers["idiomatic"]
    other = jwt.encode({"sub": USER}, SECRET, idiomatic.ALGORITHM)
    forged = jwt.encode({"sub": bench.client_id}, f"not {SECRET}", idiomatic.ALGORITHM)
    for token in (other, forged):
        answer = await http.get(bench.path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
    foreign = f"/v1/clients/{UUID(USER)}/documents"
    assert (await http.get(foreign)).status_code == 404

"""The whole service over a real fleet and bucket, every connection to a database on a wire."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from global_db import shard_catalog
from global_db.connection import RawConnection
from services.access.first_admin import init_admin
from services.fleet.readiness import readiness
from services.s3_settings import S3Settings
from services.settings import Limits, Timing
from tests.integration.databases import Fleet
from tests.integration.frames import FrameWire
from tests.integration.postgres import ADMIN, Database
from tests.integration.service import PASSWORD, Service, User, serving, settings_for
from tests.integration.waiting import until

GLOBAL = "global"

Row = tuple[str, str, str]
"""A database's name, a table's, and a row of it as JSON."""

# Not the unlogged ones: they are told by the way, at no particular request.
_TABLES = """
    SELECT relname AS name,
           EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'client_id') AS own
      FROM pg_class AS c
     WHERE relnamespace = 'docshard'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
       AND relpersistence = 'p'
     ORDER BY relname
"""
_UNFINISHED = """
    SELECT FROM pg_stat_activity
     WHERE datname = current_database() AND state LIKE 'idle in transaction%'
    UNION ALL
    SELECT FROM pg_locks WHERE locktype = 'advisory'
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True)
class Wired:
    """One router over `fleet`. `wires` by the name of the cluster that each leads to."""

    fleet: Fleet
    service: Service
    wires: Mapping[str, FrameWire]
    admin: httpx.AsyncClient = field(repr=False)
    outside: httpx.AsyncClient = field(repr=False)
    """Whoever holds a presigned address."""
    sessions: Mapping[str, RawConnection] = field(repr=False)
    """A superuser's on each cluster, past its wire."""
    tables: Mapping[str, Mapping[str, bool]] = field(repr=False)
    """Tables of each cluster, and whether their rows belong to clients."""

    async def made(self, path: str, body: Any, **headers: str) -> dict[str, Any]:
        """Make something as the administrator; it must succeed."""
        answer = await patiently(self.admin, "POST", path, json=body, headers=headers)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def client(self) -> str:
        """A new tenant, where the ring puts it."""
        return str(
            (await self.made("/v1/clients", {"code": f"w-{uuid4().hex}", "name": "w"}))["id"]
        )

    async def home(self, client_id: str) -> str:
        """The shard where a client lives."""
        return str((await self.admin.get(f"/v1/clients/{client_id}/placement")).json()["shard"])

    async def rows(self, cluster: str, client_id: str | None = None) -> Counter[Row]:
        """All that a database holds; of one client, in the tables that name one."""
        only = "" if client_id is None else " WHERE t.client_id = %(client)s::uuid"
        selects = [
            f"SELECT '{name}' AS name, to_jsonb(t)::text AS row FROM docshard.{name} AS t{only}"  # noqa: S608  # names are pg_class's
            for name, owned in self.tables[cluster].items()
            if owned or client_id is None
        ]
        cursor = await self.sessions[cluster].execute(
            " UNION ALL ".join(selects).encode(),
            None if client_id is None else {"client": client_id},
        )
        return Counter((cluster, row["name"], row["row"]) for row in await cursor.fetchall())

    async def healed(self) -> None:
        """Wait until the router has found every cluster again, as it does by itself (I10)."""

        async def ready() -> bool:
            known = readiness(self.service.resources)
            return {known.directory, *known.shards.values()} == {"ready"}

        await until(ready)

    async def at_rest(self, cluster: str) -> None:
        """Wait until a database has no open transaction and no lock of ours; fails if one stays."""

        async def nothing() -> bool:
            cursor = await self.sessions[cluster].execute(_UNFINISHED)
            return not await cursor.fetchall()

        await until(nothing)


async def patiently(
    caller: httpx.AsyncClient, method: str, path: str, **sent: Any
) -> httpx.Response:
    """A request, made again as the contract allows while a busy machine lets servers seem away:
    but for `outcome_unknown`, a 503 says that nothing has happened."""
    for _ in range(20):
        answer = await caller.request(method, path, **sent)
        if answer.status_code != 503 or answer.json()["code"] == "outcome_unknown":
            break
        await asyncio.sleep(0.2)
    return answer


@asynccontextmanager
async def wired_service(fleet: Fleet, s3: S3Settings, key_file: Path) -> AsyncIterator[Wired]:
    """The service until the block ends; the fleet's catalog names the wires from then on."""
    async with AsyncExitStack() as stack:
        wires: dict[str, FrameWire] = {}
        databases: dict[str, Database] = {GLOBAL: fleet.global_db, **fleet.shards}
        for name, database in databases.items():
            wires[name] = await stack.enter_async_context(FrameWire(database.address).up())
        async with fleet.global_db.cluster(ADMIN) as cluster, cluster.write() as connection:
            for name in fleet.shards:
                await shard_catalog.register(connection, name, [wires[name].address], weight=1)
        settings = settings_for(fleet.global_db, key_file).model_copy(
            update={
                "global_nodes": (wires[GLOBAL].address,),
                "s3": s3,
                "timing": Timing(principal_lease_seconds=5, access_token_seconds=3600),
                "limits": Limits(
                    requests_per_second_per_principal=100_000,
                    requests_per_second_per_client=100_000,
                ),
            }
        )
        service = await stack.enter_async_context(serving(fleet.global_db, settings))
        user = User(
            await init_admin(service.resources, "root@example.org", PASSWORD), "root@example.org"
        )
        bearer = (await service.log_in(user))["access_token"]
        admin = await stack.enter_async_context(service.caller(bearer))
        outside = await stack.enter_async_context(httpx.AsyncClient())
        sessions = {
            name: await stack.enter_async_context(database.session())
            for name, database in databases.items()
        }
        tables = {name: await _tables(session) for name, session in sessions.items()}
        yield Wired(fleet, service, wires, admin, outside, sessions, tables)


async def _tables(session: RawConnection) -> dict[str, bool]:
    rows = await (await session.execute(_TABLES)).fetchall()
    return {row["name"]: row["own"] for row in rows}

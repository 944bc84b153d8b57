"""One history's fleet: a directory, shards behind wires, the service, operators, runners."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import psycopg
from psycopg.rows import dict_row

from global_db import shard_catalog
from services.resources import Data, Resources
from shards.history import HISTORY
from tests.faults.model.beliefs import Placement, Tenant
from tests.faults.model.grounds import Grounds, shard_database
from tests.faults.model.plants import Plant
from tests.integration.databases import Fleet, ShardDatabase
from tests.integration.frames import FrameWire
from tests.integration.pair import Member
from tests.integration.postgres import Database
from tests.integration.service import Service

T = TypeVar("T")
GLOBAL = "global"
FIRST_SHARDS = 3
USUAL_LAG_SECONDS = 0.05
SCOPES = ("document:read", "document:write", "document:delete", "document:purge", "audit:read")
_PATIENCE_SECONDS = 60.0
_RETRY_SECONDS = 0.05
_TRIES = 5
# Behind each of these nothing has happened, or what did happens once: the same may be asked again.
_PASSING = {"busy", "idempotency_in_progress", "too_many_requests"}
UNKNOWN = "outcome_unknown"


def is_unknown(answer: httpx.Response) -> bool:
    """Whether nobody knows what became of a request."""
    return answer.status_code == 503 and answer.json()["code"] == UNKNOWN


def _is_passing(answer: httpx.Response) -> bool:
    if answer.status_code == 503:
        return not is_unknown(answer)
    return answer.status_code in {409, 429} and answer.json()["code"] in _PASSING


@dataclass
class Stage:
    """What a history acts on. `servers` by the shard that lives there; a shard's wire has its
    name, the directory's is GLOBAL."""

    grounds: Grounds
    fleet: Fleet
    shards: dict[str, ShardDatabase]
    """The fleet's own, which grow and shrink."""
    tally: Counter[str]
    """What all histories have met so far."""
    plant: Plant
    stack: ExitStack
    """Ends with the history."""
    wires: dict[str, FrameWire] = field(default_factory=dict)
    servers: dict[str, Member] = field(default_factory=dict)
    spare: list[Member] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    outages: list[asyncio.Task[None]] = field(default_factory=list)
    """Those that were begun."""
    held: AsyncExitStack = field(default_factory=AsyncExitStack)
    _restarting: threading.Lock = field(default_factory=threading.Lock)
    _sessions: dict[int, psycopg.Connection[dict[str, Any]]] = field(default_factory=dict)
    """By the port of the server: each has one database of ours at a time."""

    service: Service = field(init=False)
    deaf: Resources = field(init=False)
    """Another worker of the service's, whom nobody tells anything."""
    admin: httpx.AsyncClient = field(init=False, repr=False)
    operator: Data = field(init=False)
    mover: Data = field(init=False)
    worker: Data = field(init=False)
    """What commands and the worker's jobs hold."""

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 120.0) -> T:
        """Do something in the service's loop."""
        return self.grounds.run(work, seconds)

    # The fleet

    def new_shard(self, server: Member) -> str:
        """An empty database behind a wire, that nobody knows yet; answers the shard's name."""
        name = f"shard-{next(self.numbers)}"
        database = shard_database(server, self.fleet.global_db.name)
        self.shards[name] = self.stack.enter_context(database)
        self.plant.in_shard(self.shards[name])
        self.servers[name] = server
        self.wires[name] = FrameWire(self.shards[name].address)
        self.wires[name].stream_lag = USUAL_LAG_SECONDS
        self.run(self.held.enter_async_context(self.wires[name].up()))
        return name

    async def register(self, name: str) -> None:
        """Make a shard known as it is."""
        async with self.operator.global_db.write() as connection:
            nodes = [self.wires[name].address]
            await shard_catalog.register(connection, name, nodes, weight=1)
            await shard_catalog.set_revision(connection, name, HISTORY.head)
        await self.deaf.data.registry.refresh()

    def restart(self, name: str) -> None:
        """End a shard's server at once, and start it again."""
        with self._restarting:
            self.tally["servers restarted"] += 1
            self.servers[name].kill()
            self.servers[name].start()

    async def go_away(self, name: str, seconds: float) -> None:
        """A cluster cannot be reached for so long."""
        wire = self.wires[name]
        wire.refusing = True
        wire.cut()
        await asyncio.sleep(seconds)
        wire.refusing = False

    def begin(self, outage: Coroutine[Any, Any, None]) -> None:
        """Let it come and go beside what follows."""
        self.outages.append(self.run(_task(outage)))

    def mend(self) -> None:
        """No fault is left."""
        for wire in self.wires.values():
            wire.fault, wire.refusing = None, False

    # Looking past the service

    def rows(self, database: Database, statement: str, *values: object) -> list[dict[str, Any]]:
        """What a database says to a superuser who comes by no wire; waits while it restarts."""
        for _ in range(_TRIES):
            try:
                cursor = self._session(database).execute(statement.encode(), values)
                return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                with self._restarting:  # whoever restarts it has ended by then
                    self._sessions.pop(database.server.port, None)
        raise AssertionError(f"{database.name} on {database.server.port} does not answer")

    def _session(self, database: Database) -> psycopg.Connection[dict[str, Any]]:
        port = database.server.port
        if port not in self._sessions:
            conninfo = database.server.conninfo(database=database.name)
            made = psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)
            self._sessions[port] = made
            self.stack.callback(made.close)
        return self._sessions[port]

    def directory(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """The same of the directory."""
        return self.rows(self.fleet.global_db, statement, *values)

    def placements(self) -> dict[str, Placement]:
        """The directory's word of everybody. Locked: a COMMIT that is under way is waited for."""
        found = self.directory(
            """
            SELECT id::text, shard, epoch, pinned,
                   CASE WHEN deleted_at IS NULL THEN status ELSE 'deleted' END AS status
              FROM docshard.clients FOR SHARE
            """
        )
        return {row.pop("id"): Placement(**row) for row in found}

    def shard_states(self) -> dict[str, str]:
        """Every shard's status, locked likewise."""
        found = self.directory("SELECT name, status FROM docshard.shards FOR SHARE")
        return {row["name"]: row["status"] for row in found}

    def residencies(self) -> dict[str, dict[str, tuple[int, str]]]:
        """Epoch and state of each tenant, by tenant and shard."""
        found: dict[str, dict[str, tuple[int, str]]] = {}
        for name, database in self.shards.items():
            for row in self.rows(
                database, "SELECT client_id, epoch, state FROM docshard.residency"
            ):
                found.setdefault(str(row["client_id"]), {})[name] = (row["epoch"], row["state"])
        return found

    def moves(self) -> list[dict[str, Any]]:
        """All moves, newest first, with who is in them."""
        return self.directory(
            """
            SELECT m.id, m.source, m.target, m.state, m.wish, m.generation, m.attempts, m.fault,
                   m.reverses, m.retries, m.facts,
                   array_agg(c.client_id::text ORDER BY c.client_id) AS clients
              FROM docshard.moves AS m JOIN docshard.move_clients AS c ON c.move_id = m.id
             GROUP BY m.id ORDER BY m.created_at DESC, m.id DESC
            """
        )

    # Asking the service

    def request_id(self) -> str:
        """A new one."""
        return f"model-{next(self.numbers)}"

    async def ask(
        self, caller: httpx.AsyncClient, method: str, path: str, **sent: Any
    ) -> httpx.Response:
        """A request, made again as the contract allows until it is answered, or nobody knows."""
        deadline = self.grounds.loop.time() + _PATIENCE_SECONDS
        while True:
            self.tally["requests"] += 1
            answer = await caller.request(method, path, **sent)
            if not _is_passing(answer):
                return answer
            self.tally["asked again"] += 1
            late = self.grounds.loop.time() > deadline
            assert not late, f"no answer for {_PATIENCE_SECONDS} s: {method} {path} {answer.text}"
            await asyncio.sleep(_RETRY_SECONDS)

    async def insist(
        self, caller: httpx.AsyncClient, method: str, path: str, **sent: Any
    ) -> httpx.Response:
        """The same for what has one effect however often it is sent."""
        while is_unknown(answer := await self.ask(caller, method, path, **sent)):
            self.tally["unknown"] += 1
        return answer

    async def made(self, path: str, body: Any) -> dict[str, Any]:
        """Make something as the administrator, once."""
        headers = {"Idempotency-Key": uuid4().hex}
        answer = await self.insist(self.admin, "POST", path, json=body, headers=headers)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def admitted(self, number: int) -> Tenant:
        """A new tenant."""
        made = await self.made("/v1/clients", {"code": f"t-{number}", "name": "a tenant"})
        return Tenant(number, made["id"], await self.key_of(made["id"]))

    async def key_of(self, client_id: str) -> httpx.AsyncClient:
        """A caller of a tenant. A key is shown once: who did not hear it makes another."""
        body = {"name": "model", "scopes": SCOPES}
        path = f"/v1/clients/{client_id}/api-keys"
        while not (answer := await self.ask(self.admin, "POST", path, json=body)).is_success:
            assert is_unknown(answer), answer.text
        return self.service.caller(answer.json()["key"])


async def _task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work)

"""What the fence costs: one-row write transactions a second, with it and without.

Every form inserts the same row over the same connections, as the application role behind the same
row-level security, and pipelines its transaction as the service does:

- `without the fence`: set the tenant, insert, commit, all in one round trip, into a twin of
  documents that has no guard;
- `without, two trips`: the same, but waiting for the first statement as the service waits for
  `enter_write`;
- `with the fence`: `enter_write`, then insert into documents, whose guard looks again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import LiteralString
from uuid import UUID

import psycopg
import uuid_utils.compat as uuid_utils

from loadtests.bench.fleet import Shard
from loadtests.bench.rounds import Form, by_turns, per_second

CONNECTIONS = 8
GOAL = 0.4
"""The least that the fence must leave of the rate without it."""

# Indexes and constraints as documents has them; triggers are not copied, policies neither.
_TWIN: tuple[LiteralString, ...] = (
    "SET ROLE docshard_owner",
    "CREATE TABLE docshard.documents_twin (LIKE docshard.documents INCLUDING ALL)",
    "ALTER TABLE docshard.documents_twin ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE docshard.documents_twin FORCE ROW LEVEL SECURITY",
    "CREATE POLICY tenant ON docshard.documents_twin USING (client_id = "
    "(SELECT nullif(current_setting('app.client_id', true), '')::uuid))",
    "GRANT SELECT, INSERT ON docshard.documents_twin TO docshard_app",
)
_BEGIN: LiteralString = "BEGIN ISOLATION LEVEL READ COMMITTED"
_ENTER: LiteralString = "SELECT docshard.enter_write(%s, 1)"
_SET_TENANT: LiteralString = "SELECT set_config('app.client_id', %s::uuid::text, true)"
_ROW: LiteralString = (
    "(client_id, id, original_name, mime_type, created_by) "
    "VALUES (%(client)s, %(id)s, 'a.txt', 'text/plain', %(client)s)"
)
_INSERT: LiteralString = f"INSERT INTO docshard.documents {_ROW}"
_INSERT_TWIN: LiteralString = f"INSERT INTO docshard.documents_twin {_ROW}"


@dataclass(frozen=True, slots=True)
class Writer:
    """One connection, writing for one tenant."""

    connection: psycopg.AsyncConnection
    client_id: UUID

    async def fenced(self) -> None:
        """One transaction as the service makes it."""
        async with self.connection.pipeline():
            await self.connection.execute(_BEGIN)
            entered = await self.connection.execute(_ENTER, [self.client_id])
            await entered.fetchone()
            await self._insert(_INSERT)

    async def waiting(self) -> None:
        """One without the fence that waits where the fence does."""
        async with self.connection.pipeline():
            await self.connection.execute(_BEGIN)
            tenant = await self.connection.execute(_SET_TENANT, [self.client_id])
            await tenant.fetchone()
            await self._insert(_INSERT_TWIN)

    async def unfenced(self) -> None:
        """One without the fence."""
        async with self.connection.pipeline():
            await self.connection.execute(_BEGIN)
            await self.connection.execute(_SET_TENANT, [self.client_id])
            await self._insert(_INSERT_TWIN)

    async def _insert(self, statement: LiteralString) -> None:
        row = {"client": self.client_id, "id": uuid_utils.uuid7()}
        await self.connection.execute(statement, row)
        await self.connection.execute("COMMIT")


Write = Callable[[Writer], Awaitable[None]]
FORMS: dict[str, Write] = {
    "without the fence": Writer.unfenced,
    "without, two trips": Writer.waiting,
    "with the fence": Writer.fenced,
}


async def measure(shard: Shard, rounds: int, seconds: float) -> list[Form]:
    """Measure the forms by turns; one round of one form takes `seconds`."""
    clients = [uuid_utils.uuid7() for _ in range(CONNECTIONS)]
    await asyncio.to_thread(_prepare, shard, clients)
    async with _writers(shard, clients) as writers:

        async def rate(name: str) -> float:
            return await per_second([partial(FORMS[name], one) for one in writers], seconds)

        return await by_turns(list(FORMS), rate, rounds)


def _prepare(shard: Shard, clients: Sequence[UUID]) -> None:
    with shard.session("docshard_admin") as admin:
        for statement in _TWIN:
            admin.execute(statement)
    with shard.session("docshard_app") as app:
        for client_id in clients:
            app.execute("SELECT docshard.admit(%s, 1)", [client_id])


@asynccontextmanager
async def _writers(shard: Shard, clients: Sequence[UUID]) -> AsyncIterator[list[Writer]]:
    async with AsyncExitStack() as stack:
        writers = []
        for client_id in clients:
            connection = await shard.async_session("docshard_app")
            writers.append(Writer(await stack.enter_async_context(connection), client_id))
        yield writers

"""What the fence costs: one-row write transactions a second, with it and without.

Every form inserts the same row over the same connections, as the application role behind the same
row-level security, and commits as the service does:

- `without the fence`: set the tenant and insert, in one round trip before the COMMIT's, into a
  twin of documents that has no guard;
- `without, two trips`: the same, but waiting for the first statement as `enter_write` has to;
- `with the fence`: `enter_write`, then insert into documents, whose guard looks again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import psycopg
import sqlalchemy as sa
import uuid_utils.compat as uuid_utils
from psycopg.rows import dict_row

from global_db.connection import RawConnection, transaction
from global_db.statement import WriteStatement, write
from loadtests.bench.rounds import Form, by_turns
from loadtests.bench.server import ShardServer
from shards.residency import enter_write
from shards.tables import documents

CONNECTIONS = 8
GOAL = 0.4
"""The least that the fence must leave of the rate without it."""

_EPOCH = 1

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

_twin = documents.to_metadata(sa.MetaData(schema=documents.schema), name="documents_twin")


def _insert(table: sa.Table) -> WriteStatement:
    names = ("client_id", "id", "original_name", "mime_type", "created_by")
    return write(sa.insert(table).values({name: sa.bindparam(name) for name in names}))


_INSERT, _INSERT_TWIN = _insert(documents), _insert(_twin)
_SET_TENANT = write(
    sa.select(sa.func.set_config("app.client_id", sa.bindparam("client", type_=sa.Text), True))
)


@dataclass(frozen=True, slots=True)
class Writer:
    """One connection, writing for one tenant."""

    raw: RawConnection
    client_id: UUID

    async def fenced(self) -> None:
        """One transaction as the service makes it."""
        async with transaction(self.raw) as connection:
            await enter_write(connection, self.client_id, _EPOCH)
            await connection.send(_INSERT, **self._row())

    async def waiting(self) -> None:
        """One without the fence that waits where the fence does."""
        async with transaction(self.raw) as connection:
            await connection.returning(_SET_TENANT, client=str(self.client_id))
            await connection.send(_INSERT_TWIN, **self._row())

    async def unfenced(self) -> None:
        """One without the fence."""
        async with transaction(self.raw) as connection:
            await connection.send(_SET_TENANT, client=str(self.client_id))
            await connection.send(_INSERT_TWIN, **self._row())

    def _row(self) -> dict[str, object]:
        return {
            "client_id": self.client_id,
            "id": uuid_utils.uuid7(),
            "original_name": "a.txt",
            "mime_type": "text/plain",
            "created_by": self.client_id,
        }


Write = Callable[[Writer], Awaitable[None]]
FORMS: dict[str, Write] = {
    "without the fence": Writer.unfenced,
    "without, two trips": Writer.waiting,
    "with the fence": Writer.fenced,
}


async def measure(server: ShardServer, rounds: int, seconds: float) -> list[Form]:
    """Measure the forms by turns; one round of one form takes `seconds`."""
    clients = [uuid_utils.uuid7() for _ in range(CONNECTIONS)]
    await asyncio.to_thread(_prepare, server, clients)
    async with _writers(server, clients) as writers:

        async def rate(name: str) -> float:
            return await _rate(writers, FORMS[name], seconds)

        return await by_turns(list(FORMS), rate, rounds)


async def _rate(writers: Sequence[Writer], form: Write, seconds: float) -> float:
    start = time.perf_counter()
    counts = await asyncio.gather(*(_until(start + seconds, w, form) for w in writers))
    return sum(counts) / (time.perf_counter() - start)


async def _until(end: float, writer: Writer, form: Write) -> int:
    done = 0
    while time.perf_counter() < end:
        await form(writer)
        done += 1
    return done


def _prepare(server: ShardServer, clients: Sequence[UUID]) -> None:
    with psycopg.connect(server.conninfo("docshard_admin"), autocommit=True) as admin:
        for statement in _TWIN:
            admin.execute(statement)
    with psycopg.connect(server.conninfo("docshard_app"), autocommit=True) as app:
        for client_id in clients:
            app.execute("SELECT docshard.admit(%s, %s)", [client_id, _EPOCH])


@asynccontextmanager
async def _writers(server: ShardServer, clients: Sequence[UUID]) -> AsyncIterator[list[Writer]]:
    async with AsyncExitStack() as stack:
        writers = []
        for client_id in clients:
            raw = await psycopg.AsyncConnection.connect(
                server.conninfo("docshard_app"), autocommit=True, row_factory=dict_row
            )
            writers.append(Writer(await stack.enter_async_context(raw), client_id))
        yield writers

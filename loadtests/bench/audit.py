"""What audit costs, and how fast rows are linked: `python -m loadtests.bench.audit`.

One-row write transactions a second over the same connections, as the application role:

- `no audit row`: a document alone, which the service never writes;
- `audit row, no chain`: a document and its audit row, hashed and not queued;
- `audit row`: the same with the queue, as the service writes it.

The fleet's worker links meanwhile, as it does in service. Then rows are linked by one connection,
of one tenant with many and of many tenants with few.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import click
import psycopg
import uuid_utils.compat as uuid_utils

from loadtests.bench.fleet import NoFleet, Shard, throwaway_shard
from loadtests.bench.rounds import Form, by_turns, table
from loadtests.results import aligned

CONNECTIONS = 8
FORMS = ("no audit row", "audit row, no chain", "audit row")
ONE, MANY = (1, 20_000), (400, 20)
"""Tenants, and rows of each that are linked."""
BATCH = 500

_ENTER: LiteralString = "SELECT docshard.enter_write(%s, 1)"
_DOCUMENT: LiteralString = (
    "INSERT INTO docshard.documents (client_id, id, original_name, mime_type, created_by) "
    "VALUES (%(client)s, %(id)s, 'a.txt', 'text/plain', %(client)s)"
)
_AUDIT: LiteralString = (
    "INSERT INTO docshard.audit_logs (client_id, id, user_id, action, entity_type, entity_id, "
    "changes, content_hash) VALUES (%(client)s, %(id)s, %(client)s, 'document.create', 'document', "
    '%(id)s, \'{"before": null, "after": {"original_name": "a.txt"}}\', \'\')'
)
_MANY_ROWS: LiteralString = (
    "INSERT INTO docshard.audit_logs (client_id, id, action, entity_type, entity_id, content_hash) "
    "SELECT %(client)s, gen_random_uuid(), 'document.create', 'document', %(client)s, '' "
    "FROM generate_series(1, %(rows)s)"
)
# Held by us, the fleet's own worker leaves the tenant alone.
_HOLD: LiteralString = "SELECT pg_advisory_lock(docshard.chain_lock(%s))"
_LINK: LiteralString = "SELECT docshard.link_audit(%s, %s)"


@dataclass(frozen=True, slots=True)
class Writer:
    """One connection, writing for one tenant."""

    connection: psycopg.AsyncConnection
    client_id: UUID

    async def write(self, *, audited: bool) -> None:
        """One transaction, pipelined as the service does it."""
        row = {"client": self.client_id, "id": uuid_utils.uuid7()}
        async with self.connection.pipeline():
            await self.connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            entered = await self.connection.execute(_ENTER, [self.client_id])
            await entered.fetchone()
            await self.connection.execute(_DOCUMENT, row)
            if audited:
                await self.connection.execute(_AUDIT, row)
            await self.connection.execute("COMMIT")


async def price(shard: Shard, rounds: int, seconds: float) -> list[Form]:
    """Measure the forms by turns; one round of one form takes `seconds`."""
    async with sessions(shard) as (admin, writers):

        async def rate(name: str) -> float:
            verb = "ENABLE" if name == FORMS[2] else "DISABLE"
            await admin.execute(
                f"ALTER TABLE docshard.audit_logs {verb} TRIGGER queue_audit_row".encode()
            )
            start = time.perf_counter()
            counts = await asyncio.gather(
                *(_until(start + seconds, writer, name != FORMS[0]) for writer in writers)
            )
            return sum(counts) / (time.perf_counter() - start)

        return await by_turns(FORMS, rate, rounds)


async def _until(end: float, writer: Writer, audited: bool) -> int:
    done = 0
    while time.perf_counter() < end:
        await writer.write(audited=audited)
        done += 1
    return done


@asynccontextmanager
async def sessions(shard: Shard) -> AsyncIterator[tuple[psycopg.AsyncConnection, list[Writer]]]:
    """An administrator, and writers of a tenant each."""
    async with AsyncExitStack() as stack:

        async def connect(role: str, password: str) -> psycopg.AsyncConnection:
            conninfo = shard.conninfo(role, password)
            opened = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
            return await stack.enter_async_context(opened)

        admin = await connect("docshard_admin", "DOCSHARD_ADMIN_DB_PASSWORD")
        writers = []
        for _ in range(CONNECTIONS):
            connection = await connect("docshard_app", "DOCSHARD_APP_PASSWORD")
            writers.append(Writer(connection, await _admit(connection)))
        yield admin, writers


async def _admit(app: psycopg.AsyncConnection) -> UUID:
    client_id = uuid_utils.uuid7()
    await app.execute("SELECT docshard.admit(%s, 1)", [client_id])
    return client_id


async def linking(shard: Shard, tenants: int, rows: int) -> float:
    """Rows a second that one connection links."""
    app = shard.conninfo("docshard_app", "DOCSHARD_APP_PASSWORD")
    worker = shard.conninfo("docshard_worker", "DOCSHARD_WORKER_PASSWORD")
    async with (
        await psycopg.AsyncConnection.connect(app, autocommit=True) as writer,
        await psycopg.AsyncConnection.connect(worker, autocommit=True) as linker,
    ):
        clients = [await _admit(writer) for _ in range(tenants)]
        for client_id in clients:
            await linker.execute(_HOLD, [client_id])
            for first in range(0, rows, BATCH):
                async with writer.transaction():
                    await writer.execute(_ENTER, [client_id])
                    few = {"client": client_id, "rows": min(BATCH, rows - first)}
                    await writer.execute(_MANY_ROWS, few)
        start = time.perf_counter()
        linked = sum([await _link(linker, client_id) for client_id in clients])
        assert linked == tenants * rows  # noqa: S101 - a bench that measured nothing must not pass
        return linked / (time.perf_counter() - start)


async def _link(linker: psycopg.AsyncConnection, client_id: UUID) -> int:
    linked = 0
    while True:
        cursor = await linker.execute(_LINK, [client_id, BATCH])
        row = await cursor.fetchone()
        done = 0 if row is None else int(row[0])
        linked += done
        if done < BATCH:
            return linked


async def measure(shard: Shard, rounds: int, seconds: float) -> None:
    """Measure and print."""
    forms = await price(shard, rounds, seconds)
    click.echo(f"Write transactions, {CONNECTIONS} connections, {rounds} rounds")
    click.echo(table(forms))
    rates = [(*shape, f"{await linking(shard, *shape):,.0f}") for shape in (ONE, MANY)]
    head: Sequence[str] = ("tenants", "rows each", "linked per s")
    click.echo(aligned([tuple(head), *((str(a), str(b), c) for a, b, c in rates)]))


@click.command(help="Measure what audit rows cost, and how fast they are linked.")
@click.option("--rounds", type=click.IntRange(1), default=9, show_default=True)
@click.option("--seconds", type=float, default=0.7, show_default=True, help="Of each round.")
def main(rounds: int, seconds: float) -> None:
    """Start a fleet, measure, print."""
    try:
        with throwaway_shard() as shard:
            asyncio.run(measure(shard, rounds, seconds))
    except NoFleet as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()

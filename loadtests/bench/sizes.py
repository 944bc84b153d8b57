"""What capacity is planned with: `python -m loadtests.bench.sizes`.

Bytes on disk, indexes and all, and bytes of WAL: of documents with names and metadata as offices
have them, and of a write as the service does it, its audit row and the row's link included. Memory
of a server for each connection, and of a router's process that has served. None of it depends on
how busy the machine is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, LiteralString
from uuid import UUID

import click
import psutil
import psycopg

from docshard_client import Docshard
from loadtests.bench.audit import Writer, sessions
from loadtests.bench.fleet import NoFleet, Shard, throwaway_shard
from loadtests.bench.library import Library, fill
from loadtests.results import aligned

_WAL: LiteralString = "SELECT pg_current_wal_insert_lsn() - '0/0'"
# With its partitions, where it has any.
_SIZE: LiteralString = (
    "SELECT pg_total_relation_size(whole) + coalesce((SELECT sum(pg_total_relation_size(inhrelid))"
    " FROM pg_inherits WHERE inhparent = whole), 0) FROM (SELECT %s::regclass AS whole) AS given"
)
_WAITING: LiteralString = "SELECT count(*) FROM docshard.audit_pending"
_LOOKS: tuple[LiteralString, ...] = (
    "SELECT id FROM docshard.documents ORDER BY created_at DESC LIMIT 50",
    "SELECT id FROM docshard.audit_logs ORDER BY created_at DESC LIMIT 50",
    "SELECT docshard.enter_write('01890000-0000-7000-8000-000000000000', 1)",
)
_LOG: Final = ("audit_logs", "audit_chain")
_PAUSE_SECONDS: Final = 0.2

Row = tuple[str, str]


def library(shard: Shard, client_id: UUID, size: int) -> Row:
    """A document with a name and metadata, in its table and in all its indexes."""
    with psycopg.connect(_admin(shard), autocommit=True) as admin:
        before = _bytes(admin, ["documents"])
        fill(admin, Library([client_id], size, largest=1.0))
        return "bytes a document, with indexes", _each(_bytes(admin, ["documents"]) - before, size)


def writing(shard: Shard, writes: int) -> list[Row]:
    """Documents that are made one by one, as the service does; WAL is the primary's."""
    worker = shard.conninfo("docshard_worker", "DOCSHARD_WORKER_PASSWORD")
    with (
        psycopg.connect(_admin(shard), autocommit=True) as admin,
        psycopg.connect(worker, autocommit=True) as linker,
    ):
        before, log = _bytes(admin, ["documents"]), _bytes(admin, _LOG)
        wal = _number(admin, _WAL)
        done = asyncio.run(_write(shard, writes))
        while _number(linker, _WAITING):
            time.sleep(_PAUSE_SECONDS)
        grown, kept = _bytes(admin, ["documents"]) - before, _bytes(admin, _LOG) - log
        logged = _number(admin, _WAL) - wal
    return [
        ("bytes a document of the least, with indexes", _each(grown, done)),
        ("bytes a change: its audit row and its link, with indexes", _each(kept, done)),
        ("bytes of WAL a write, its link included", _each(logged, done)),
    ]


async def _write(shard: Shard, writes: int) -> int:
    async with sessions(shard) as (_, writers):
        share = writes // len(writers)
        await asyncio.gather(*(_each_its(writer, share) for writer in writers))
        return share * len(writers)


async def _each_its(writer: Writer, times: int) -> None:
    for _ in range(times):
        await writer.write(audited=True)


def connections(shard: Shard, count: int) -> Row:
    """What one more connection that has worked takes of a server's memory for itself."""
    app = shard.conninfo("docshard_app", "DOCSHARD_APP_PASSWORD")
    with ExitStack() as stack:
        opened = [stack.enter_context(psycopg.connect(app, autocommit=True)) for _ in range(count)]
        for one in opened:
            for look in _LOOKS:
                with suppress(psycopg.Error):  # no such tenant: what it takes to know is measured
                    one.execute(look)
        private = [_private(one.info.backend_pid) for one in opened]
    return "MiB of a server for a connection", f"{sum(private) / count / 1024**2:.1f}"


def router(shard: Shard, requests: int) -> Iterator[Row]:
    """A router's processes once they have served: the largest, and all with shared pages once."""
    with Docshard(shard.target.api) as api:
        api.login(shard.target.email, shard.target.password)
        for _ in range(requests):
            api.get_me()
    found = [one.memory_full_info() for one in _family(int(shard.target.api.rpartition(":")[2]))]
    yield "MiB of the largest of a router's processes", _mib(max(one.rss for one in found))
    yield f"MiB of all {len(found)}, shared pages once", _mib(sum(one.pss for one in found))


def _family(port: int) -> list[psutil.Process]:
    """Who listens there, and all that were forked from the same."""
    head = next(
        psutil.Process(one.pid)
        for one in psutil.net_connections("tcp")
        if one.pid and one.status == psutil.CONN_LISTEN and one.laddr and one.laddr[1] == port
    )
    parent = head.parent()
    if parent is not None and parent.cmdline() == head.cmdline():
        head = parent
    return [head, *head.children()]


def measure(shard: Shard, size: int, writes: int) -> list[Row]:
    """Everything, in turn."""
    with Docshard(shard.target.api) as api:
        api.login(shard.target.email, shard.target.password)
        client_id = api.create_client("sizes", "a tenant").id
    return [
        library(shard, client_id, size),
        *writing(shard, writes),
        connections(shard, 20),
        *router(shard, 2000),
    ]


@click.command(help="Measure bytes of documents and writes, and memory of connections and routers.")
@click.option("--size", type=click.IntRange(1000), default=100_000, show_default=True)
@click.option("--writes", type=click.IntRange(100), default=8_000, show_default=True)
def main(size: int, writes: int) -> None:
    """Start a fleet, measure, print."""
    try:
        with throwaway_shard() as shard:
            click.echo(aligned([("", "measured"), *measure(shard, size, writes)]))
    except NoFleet as error:
        raise click.ClickException(str(error)) from error


def _admin(shard: Shard) -> str:
    return shard.conninfo("docshard_admin", "DOCSHARD_ADMIN_DB_PASSWORD")


def _bytes(admin: psycopg.Connection, tables: Iterable[str]) -> int:
    return sum(_number(admin, _SIZE, f"docshard.{table}") for table in tables)


def _number(admin: psycopg.Connection, query: LiteralString, *values: str) -> int:
    row = admin.execute(query, values).fetchone()
    return 0 if row is None else int(row[0])


def _each(whole: int, count: int) -> str:
    return f"{whole / count:,.0f}"


def _private(process: int) -> int:
    """Bytes that nobody else has in memory: a server's own pages are shared by all."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def _mib(size: int) -> str:
    return f"{size / 1024**2:.0f}"


if __name__ == "__main__":
    main()

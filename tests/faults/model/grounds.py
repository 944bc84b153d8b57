"""Servers, a bucket and a loop for many histories; each history has databases of its own there."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from deploy.local import ports
from services.keys.local_file import create_key_file
from services.s3_settings import S3Settings
from tests.integration.databases import ShardDatabase
from tests.integration.pair import Member
from tests.integration.postgres import Postgres, Site

T = TypeVar("T")
SERVERS = 4
_SECONDS = 120.0


@dataclass(frozen=True)
class Grounds:
    """What histories are played on. `loop` runs in a thread of its own, so that the service, its
    wires and its writers go on between a history's steps."""

    directory: Postgres
    servers: tuple[Member, ...]
    s3: S3Settings
    key_file: Path
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def run(self, work: Coroutine[Any, Any, T], seconds: float = _SECONDS) -> T:
        """Do something in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    @contextmanager
    def looping(self) -> Iterator[None]:
        """The loop runs while the block lasts."""
        thread = threading.Thread(target=self.loop.run_forever, name="the service", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            thread.join(10)
            self.loop.close()


@contextmanager
def grounds(site: Site, template: Path, directory: Postgres, s3: S3Settings) -> Iterator[Grounds]:
    """Running servers for shards, copies of `template`, until the block ends."""
    mark = ports.free()
    servers = tuple(
        Member(site, f"model-{mark}-{n}", Postgres(ports.free(), site.password))
        for n in range(SERVERS)
    )
    key_file = site.folder / f"model-{mark}-key"
    create_key_file(key_file)
    try:
        for server in servers:
            site.copy(template, server.folder)
            server.start()
        made = Grounds(directory, servers, s3, key_file)
        with made.looping():
            yield made
    finally:
        for server in servers:
            server.kill()
            shutil.rmtree(server.folder, ignore_errors=True)


@contextmanager
def shard_database(server: Member, name: str) -> Iterator[ShardDatabase]:
    """An empty shard on a server, dropped in the end with whatever moves have left of it."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(server.postgres.database("template_shard", name))
        made = ShardDatabase(database.server, database.name)
        stack.callback(_cut_loose, made)
        yield made


def _cut_loose(database: ShardDatabase) -> None:
    """Drop subscriptions and slots, which keep a database from being dropped."""
    conninfo = database.server.conninfo(database=database.name)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        names = connection.execute(
            "SELECT subname FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid"
            " WHERE datname = current_database()"
        )
        for (name,) in names.fetchall():
            for change in ("DISABLE", "SET (slot_name = NONE)"):
                altered = sql.SQL(f"ALTER SUBSCRIPTION {{}} {change}")
                connection.execute(altered.format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP SUBSCRIPTION {}").format(sql.Identifier(name)))
        connection.execute(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
            " WHERE database = current_database() AND active_pid IS NOT NULL"
        )
        _drop_slots(connection)


def _drop_slots(connection: psycopg.Connection[Any]) -> None:
    """Again, while a walsender that was ended still holds one."""
    while True:
        with contextlib.suppress(psycopg.errors.ObjectInUse):
            connection.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                " WHERE database = current_database()"
            )
            return

"""A shard leaves for ever, once it is empty; its name is never used again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from global_db import placements, shard_catalog
from global_db.connection import ReadConnection
from global_db.errors import ClusterError
from global_db.shard_catalog import Shard
from services.audit import record_global
from services.errors import NotFound, ShardUnavailable
from services.failures import global_failures
from services.fleet.finding import Finding
from services.fleet.shards import status_event
from services.fleet.unmet import Unmet
from services.identity.principal import Origin
from services.resources import Data
from shards.occupancy import occupancy, tables_with_rows


@dataclass(frozen=True, slots=True)
class Remains:
    """What still binds a shard. `deleted` clients are there until they are erased or moved.

    `tables` are tenants' tables that are not empty, `others` the shards that would be left.
    """

    status: str
    living: int
    deleted: int
    moves: int
    others: int
    tenants: int = 0
    tables: tuple[str, ...] = ()


def judge(name: str, remains: Remains) -> Iterator[Finding]:
    """Why a shard cannot be removed; nothing when it can."""
    if remains.status != "draining":
        yield Finding(name, "takes new clients", f"`docshard shard drain {name}` empties it first")
    if not remains.others:
        yield Finding(name, "is the last shard", "add another one first: `docshard shard add`")
    for count, what in (
        (remains.living, "clients"),
        (remains.deleted, "deleted clients, who may be restored"),
    ):
        if count:
            yield Finding(name, f"has {count} {what}", f"`docshard shard drain {name}` moves them")
    if remains.moves:
        what = f"is source or target of {remains.moves} moves that are not over"
        yield Finding(name, what, "wait for their end: `docshard move list`")
    if remains.tenants and not remains.living + remains.deleted:
        what = f"says that {remains.tenants} tenants live on it, of whom the directory knows none"
        yield Finding(name, what, "`docshard doctor --mend` looks into each")
    if remains.tables and not remains.living + remains.deleted + remains.moves:
        what = f"still has tenants' rows in {', '.join(remains.tables)}"
        yield Finding(name, what, "`docshard doctor --mend` removes those that nobody owns")


def demand_empty(name: str, remains: Remains) -> None:
    """Let only an empty shard pass.

    Raises:
        Unmet: it is not empty.
    """
    found = list(judge(name, remains))
    if found:
        raise Unmet(f"{name} cannot be removed.", found)


async def look(mover: Data, name: str) -> Remains:
    """What binds a shard at present; as the mover, who passes row-level security.

    Raises:
        NotFound, ShardUnavailable, DirectoryUnavailable.
    """
    with global_failures():
        async with mover.global_db.read() as connection:
            known = await shard_catalog.registered(connection)
            found = next((shard for shard in known if shard.name == name), None)
            if found is None:
                raise NotFound(f"There is no shard {name}.")
            remains = await _bound(connection, found)
        await mover.registry.refresh()
    with _answering(name):
        async with mover.registry.any_cluster(name).read() as there:
            held = await occupancy(there)
            return replace(
                remains, tenants=held.tenants, tables=tuple(await tables_with_rows(there))
            )


async def was_removed(data: Data, name: str) -> bool:
    """Whether the directory knows that name as a removed shard's. Raises DirectoryUnavailable."""
    with global_failures():
        async with data.global_db.read() as connection:
            return await shard_catalog.status(connection, name) == "removed"


async def remove(data: Data, mover: Data, name: str, reason: str | None) -> Shard:
    """Remove an empty shard; answers it as it was.

    It is looked at twice. The second look, at the directory, is what counts: with the shard's row
    locked as `shard_catalog.lock` argues, no client and no move is on its way to it, and none can
    come any more once it drains and then is `removed`. What the shard itself holds follows from
    that: only movers and creators of clients make a residency, and both name the shard in the
    directory before. So the look at the shard, before the lock, may be older.

    Raises:
        Unmet: it is not empty.
        NotFound, ShardUnavailable, DirectoryUnavailable.
    """
    demand_empty(name, await look(mover, name))
    with global_failures():
        async with data.global_db.write() as connection:
            await shard_catalog.one_at_a_time(connection)
            before = await shard_catalog.lock(connection, name)
            if before is None or before.status == "removed":
                raise NotFound(f"There is no shard {name}.")
            demand_empty(name, await _bound(connection, before))
            after = await shard_catalog.set_status(connection, name, "removed")
            await record_global(connection, Origin(reason=reason), status_event(before, after))
    return before


async def _bound(connection: ReadConnection, shard: Shard) -> Remains:
    """The directory's part."""
    bound = await placements.bound_to(connection, shard.name)
    others = len(await shard_catalog.registered(connection)) - 1
    return Remains(shard.status, bound.living, bound.deleted, bound.moves, others)


@contextmanager
def _answering(name: str) -> Iterator[None]:
    try:
        yield
    except ClusterError as error:
        detail = f"{name} does not answer, so nobody knows whether it is empty."
        raise ShardUnavailable(detail) from error

"""Moves are ordered here, by whichever command: in one transaction, audited, or refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from global_db import moves, shard_catalog
from global_db.connection import ReadConnection, WriteConnection
from global_db.moves import AlreadyFollowed, AlreadyMoving, ClientsElsewhere, Move, NewMove
from services.audit import Event, record_global
from services.errors import Busy, Conflict, NotFound
from services.failures import global_failures
from services.identity.principal import Caller, Origin, ordered_by
from services.resources import Data


@asynccontextmanager
async def writing(data: Data) -> AsyncIterator[WriteConnection]:
    """One transaction of the global database that orders or changes moves.

    Raises:
        Conflict, Busy, DirectoryUnavailable.
    """
    with global_failures(), _refusals():
        async with data.global_db.write() as connection:
            yield connection


async def order(
    connection: WriteConnection, new: NewMove, verb: str = "create", caller: Caller | None = None
) -> Move:
    """Order one move and tell the audit log.

    Raises:
        AlreadyFollowed, AlreadyMoving, ClientsElsewhere.
    """
    made = await moves.create(connection, new)
    await record(connection, ordered(made, new, verb), ordered_by(caller, new.reason or None))
    return made


def ordered(move: Move, new: NewMove, verb: str) -> Event:
    """The event that a move was ordered; `verb`: create, retry or reverse."""
    image = {
        "source": move.source,
        "target": move.target,
        "clients": [str(client_id) for client_id in new.clients],
    }
    follows = move.retries or move.reverses
    if follows is not None:
        image["follows"] = str(follows)
    return Event(f"move.{verb}", "move", move.id, None, image)


async def record(connection: WriteConnection, event: Event, by: Caller | Origin) -> None:
    """Tell the audit log."""
    await record_global(connection, by, event)


async def demand_open(connection: ReadConnection, target: str) -> None:
    """Raises: NotFound, Conflict: the shard takes nobody."""
    statuses = {one.name: one.status for one in await shard_catalog.registered(connection)}
    if target not in statuses:
        raise NotFound(f"There is no shard {target}; there are {', '.join(statuses)}.")
    if statuses[target] != "active":
        raise Conflict(f"{target} is {statuses[target]} and takes no clients.")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except AlreadyFollowed as error:
        raise Conflict("Another move has followed it already.") from error
    except AlreadyMoving as error:
        raise Conflict(
            "A client of it is in another move, or still tidied up after one."
        ) from error
    except ClientsElsewhere as error:
        raise Busy("A client was moved at this very moment.") from error

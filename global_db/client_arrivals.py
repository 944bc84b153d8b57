"""A client that comes with its id and its data from another fleet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from global_db.clients import Client, CodeTaken
from global_db.connection import WriteConnection
from global_db.erasure_tables import BEING_ERASED
from global_db.statement import write
from global_db.tables import clients

_NEW = ("id", "code", "name", "metadata", "shard", "epoch", "created_at")
_INSERT = write(
    sa.insert(clients)
    .values({name: sa.bindparam(name) for name in _NEW} | {"status": "suspended"})
    .returning(clients)
)


class Erased(Exception):
    """This fleet has erased the client, or is about to."""


async def insert(
    connection: WriteConnection, image: Mapping[str, Any], shard: str, epoch: int
) -> Client:
    """Add a client with the id, code, name, metadata and created_at of its image, suspended.

    Raises:
        CodeTaken: a living client has the code. Erased.
    """
    values = {name: image[name] for name in ("code", "name", "metadata", "created_at")}
    with _refused(str(values["code"])):
        row = await connection.returning(
            _INSERT, id=UUID(image["id"]), **values, shard=shard, epoch=epoch
        )
    if row is None:
        raise LookupError("a client was not stored")
    return Client(**row)


@contextmanager
def _refused(code: str) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise CodeTaken(code) from error
    except psycopg.Error as error:
        if error.sqlstate != BEING_ERASED:
            raise
        raise Erased from error

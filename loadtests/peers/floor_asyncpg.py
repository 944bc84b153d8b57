"""The floor on asyncpg, the fastest driver."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from starlette.applications import Starlette

from loadtests.peers.floor import Row, make_app
from loadtests.peers.serving import CONNECTIONS, Surroundings, serve
from loadtests.peers.statements import CREATE, LIST, READ

_READ, _LIST, _CREATE = (one.numbered() for one in (READ, LIST, CREATE))


async def _prepare(connection: Any) -> None:
    # The database's JSON goes into the answer as it is, and ids as the text that JSON needs:
    # asyncpg has a class of its own for them, which orjson does not know.
    codec = {"schema": "pg_catalog", "format": "text"}
    await connection.set_type_codec("jsonb", encoder=str, decoder=orjson.Fragment, **codec)
    await connection.set_type_codec("uuid", encoder=str, decoder=str, **codec)
    await connection.set_type_codec("inet", encoder=str, decoder=str, **codec)


async def _leave_as_it_is(connection: Any) -> None:
    """Nothing here outlives its statement: asyncpg's own reset would be one more way there and
    back for each request."""


class AsyncpgStore:
    """Each statement prepared and its own transaction."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._pool: Any = None

    @asynccontextmanager
    async def opened(self, _: Starlette) -> AsyncIterator[None]:
        """Connected for the length of the block."""
        async with asyncpg.create_pool(
            self._database,
            min_size=CONNECTIONS,
            max_size=CONNECTIONS,
            init=_prepare,
            reset=_leave_as_it_is,
        ) as self._pool:
            yield

    async def document(self, client_id: UUID, document_id: UUID) -> Row | None:
        """One living document."""
        row = await self._pool.fetchrow(_READ, client_id, document_id)
        return None if row is None else dict(row)

    async def newest(self, client_id: UUID, most: int) -> Sequence[Row]:
        """The newest living documents."""
        return [dict(row) for row in await self._pool.fetch(_LIST, client_id, most)]

    async def create(self, values: Row) -> datetime:
        """Insert a document and its audit row; when that was."""
        made: datetime = await self._pool.fetchval(_CREATE, *CREATE.values(values))
        return made


def app(database: str) -> Starlette:
    """The application on this database."""
    store = AsyncpgStore(database)
    return make_app(store, store.opened)


if __name__ == "__main__":
    told = Surroundings.told()
    serve(app(told.database), told.port)

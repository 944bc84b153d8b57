"""The floor on psycopg 3, the driver that the service has."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette

from loadtests.peers.floor import Row, make_app
from loadtests.peers.serving import CONNECTIONS, Surroundings, serve
from loadtests.peers.statements import CREATE, LIST, READ

_Connection = AsyncConnection[dict[str, Any]]
_READ, _LIST, _CREATE = (one.named().encode() for one in (READ, LIST, CREATE))


async def _prepare(connection: _Connection) -> None:
    # The database's JSON goes into the answer as it is.
    set_json_loads(orjson.Fragment, connection)


class PsycopgStore:
    """Each statement prepared at its first use and its own transaction."""

    def __init__(self, database: str) -> None:
        self._pool: AsyncConnectionPool[_Connection] = AsyncConnectionPool(
            database,
            kwargs={"autocommit": True, "row_factory": dict_row, "prepare_threshold": 0},
            min_size=CONNECTIONS,
            max_size=CONNECTIONS,
            configure=_prepare,
            open=False,
        )

    @asynccontextmanager
    async def opened(self, _: Starlette) -> AsyncIterator[None]:
        """Connected for the length of the block."""
        async with self._pool:
            await self._pool.wait()
            yield

    async def document(self, client_id: UUID, document_id: UUID) -> Row | None:
        """One living document."""
        async with self._pool.connection() as connection:
            values = {"client_id": client_id, "id": document_id}
            return await (await connection.execute(_READ, values)).fetchone()

    async def newest(self, client_id: UUID, most: int) -> Sequence[Row]:
        """The newest living documents."""
        async with self._pool.connection() as connection:
            values = {"client_id": client_id, "most": most}
            return await (await connection.execute(_LIST, values)).fetchall()

    async def create(self, values: Row) -> datetime:
        """Insert a document and its audit row; when that was."""
        async with self._pool.connection() as connection:
            made = await (await connection.execute(_CREATE, values)).fetchone()
        assert made is not None  # noqa: S101 - it returns a row or raises
        created_at: datetime = made["created_at"]
        return created_at


def app(database: str) -> Starlette:
    """The application on this database."""
    store = PsycopgStore(database)
    return make_app(store, store.opened)


if __name__ == "__main__":
    told = Surroundings.told()
    serve(app(told.database), told.port)

"""LISTEN on the global primary, past any pooler: tells what to forget."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

import psycopg
from psycopg import sql

from global_db.cluster import Cluster
from global_db.errors import ClusterUnavailable

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 0.5

Handler = Callable[[str], None]


async def listen(
    cluster: Cluster, handlers: Mapping[str, Handler], on_gap: Callable[[], None]
) -> None:
    """Call the channel's handler with each notification's payload, for ever.

    `on_gap` is called after every (re)connection: what was announced meanwhile was not heard.

    This line hears of the primary's end at once, while the pool's hear of it when they are used: so
    the primary is suspected when the line breaks, and who comes next waits for the verdict.
    """
    while True:
        try:
            await _listen_once(cluster, handlers, on_gap)
        except (psycopg.Error, OSError, ClusterUnavailable) as error:
            _log.info("not listening to %s: %s", cluster.name, error)
        await asyncio.sleep(_RETRY_SECONDS)


async def _listen_once(
    cluster: Cluster, handlers: Mapping[str, Handler], on_gap: Callable[[], None]
) -> None:
    primary = cluster.primary()
    conninfo = cluster.login.direct(primary.address)
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        for channel in handlers:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        on_gap()
        try:
            async for notice in connection.notifies():
                handlers[notice.channel](notice.payload)
        except psycopg.OperationalError:
            primary.suspect()
            raise

"""The servers of a world: each keeps its port and its data whatever befalls it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from deploy.local import ports
from global_db.address import NodeAddress, Pooler
from global_db.migration import History
from tests.faults.matrix.links import Links
from tests.faults.standbys import Standbys, standbys
from tests.integration.databases import ShardDatabase
from tests.integration.pair import Member
from tests.integration.postgres import Postgres, Site

DATABASE = "docshard"
_HOST = "127.0.0.1"


@dataclass
class Stand:
    """A cluster: its server that is to be the primary, and the lines to it."""

    name: str
    primary: Member
    links: Links

    @property
    def database(self) -> ShardDatabase:
        """Its database past the lines, whoever is its primary."""
        return ShardDatabase(self.primary.postgres, DATABASE)

    def address(self, *, by_links: bool = False) -> NodeAddress:
        """Where others find it. By links: movers go by the lines; those who serve go where a pooler
        would be, which is the server."""
        port = self.primary.postgres.port
        if not by_links:
            return NodeAddress(name=self.name, host=_HOST, port=port)
        pooler = Pooler(host=_HOST, port=port, database=DATABASE)
        return NodeAddress(name=self.name, host=_HOST, port=self.links.port, pooler=pooler)

    def addresses(self, *, by_links: bool) -> list[NodeAddress]:
        """All its servers, as the catalogue has them."""
        return [self.address(by_links=by_links)]

    async def kill(self) -> None:
        """The server and all its children are gone at once."""
        await asyncio.to_thread(self.primary.kill)

    async def crash(self) -> None:
        """An immediate shutdown: what was not committed is lost."""
        await asyncio.to_thread(self.primary.crash)

    async def start(self) -> None:
        """It recovers, and lets clients in."""
        await asyncio.to_thread(self.primary.start)


@asynccontextmanager
async def stand(site: Site, name: str, history: History) -> AsyncIterator[Stand]:
    """A server with a migrated database; ended in the end."""
    port = ports.free()
    member = Member(site, f"matrix-{name}-{port}", Postgres(port, site.password))
    await asyncio.to_thread(site.copy, site.template, member.folder)
    try:
        await asyncio.to_thread(_set_up, member, history)
        async with Links(member.postgres.port).up() as links:
            yield Stand(name, member, links)
    finally:
        await asyncio.to_thread(member.kill)


@dataclass
class GuardedStand(Stand):
    """A shard with a synchronous standby, which takes over; nobody has lines to it."""

    pair: Standbys

    @property
    def database(self) -> ShardDatabase:
        return self.pair.database(DATABASE)

    def addresses(self, *, by_links: bool) -> list[NodeAddress]:
        return self.pair.addresses

    async def fail_over(self) -> None:
        """The primary is gone at once, and the standby is the primary."""
        await asyncio.to_thread(self.pair.fail_over)
        self.primary = self.pair.primary

    async def rejoin(self) -> None:
        """The former primary follows."""
        await asyncio.to_thread(self.pair.rejoin)


@asynccontextmanager
async def guarded_stand(site: Site, name: str, history: History) -> AsyncIterator[GuardedStand]:
    """Two servers with a migrated database, one following the other; ended in the end."""
    async with stand(site, name, history) as born:
        await asyncio.to_thread(born.primary.stop)
        with ExitStack() as stack:
            both = standbys(site, born.primary.folder, f"matrix-{name}")
            pair = await asyncio.to_thread(stack.enter_context, both)
            yield GuardedStand(name, pair.primary, born.links, pair)


def _set_up(member: Member, history: History) -> None:
    member.start()
    member.postgres.prepare(DATABASE)
    member.postgres.migrate(DATABASE, history)

"""A database server on a clock that a test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from itertools import count

from tests.faults.resources.clock import Clock, clock_in, forget
from tests.integration.databases import Fleet, make_template, registered_fleet
from tests.integration.postgres import TEMPLATES, Postgres, Site


@dataclass(frozen=True)
class Astray:
    """A server with templates of both schemas, and its clock."""

    server: Postgres
    clock: Clock

    @asynccontextmanager
    async def fleet(
        self, whose: str, postgres: Postgres, shards: tuple[Postgres, Postgres]
    ) -> AsyncIterator[Fleet]:
        """A fleet in which it is shard-1's server, or the global database's."""
        self.clock.move(0)
        servers = (self.server, shards[1])
        of = (postgres, servers) if whose == "shard" else (self.server, shards)
        async with registered_fleet(*of) as fleet:
            yield fleet
        self.clock.move(0)


@contextmanager
def astray_server(site: Site) -> Iterator[Astray]:
    """Start it; its clock is right until it is moved."""
    folder = site.folder / "astray-clock"  # where the server's user may read
    folder.mkdir()
    folder.chmod(0o755)
    clock = clock_in(folder)
    with site.server("astray", clock.environment) as started:
        forget(int((site.folder / "astray" / "postmaster.pid").read_text().split()[0]))
        # The names of its databases must not meet those that the other servers have.
        server = replace(started, _numbers=count(100_000))
        for name in TEMPLATES:
            make_template(server, name)
        yield Astray(server, clock)

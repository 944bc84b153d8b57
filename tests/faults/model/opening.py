"""Building a history's fleet, and taking it down."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial

from global_db.errors import ClusterError
from services.access.first_admin import init_admin
from services.resources import Data
from services.settings import Limits, Timing
from tests.faults.model.elsewhere import DEAF
from tests.faults.model.grounds import Grounds
from tests.faults.model.plants import Plant
from tests.faults.model.stage import FIRST_SHARDS, GLOBAL, Stage
from tests.integration.databases import Bounds, Fleet, ShardDatabase
from tests.integration.frames import FrameWire
from tests.integration.postgres import ADMIN, APP, MOVER, WORKER
from tests.integration.service import PASSWORD, User, serving, settings_for
from tests.integration.waiting import until


@contextmanager
def stage(grounds: Grounds, tally: Counter[str], plant: Plant) -> Iterator[Stage]:
    """A fleet of three shards and a spare server, until the block ends."""
    with ExitStack() as stack:
        global_db = stack.enter_context(grounds.directory.database("template_global"))
        shards: dict[str, ShardDatabase] = {}
        plant.in_directory(global_db)
        made = Stage(grounds, Fleet(global_db, shards), shards, tally, plant, stack)
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        done = asyncio.Event()
        living = asyncio.run_coroutine_threadsafe(_live(made, ready, done), grounds.loop)

        def end() -> None:
            grounds.loop.call_soon_threadsafe(done.set)
            living.result(60)

        concurrent.futures.wait([ready, living], return_when=concurrent.futures.FIRST_COMPLETED)
        # Databases are dropped behind whoever uses them.
        with ExitStack() as databases:
            made.stack = databases
            stack.callback(end)
            if living.done():
                living.result()
            made.spare += grounds.servers[FIRST_SHARDS:]
            for server in grounds.servers[:FIRST_SHARDS]:
                made.run(_settled(partial(made.register, made.new_shard(server))))
            made.run(_all_known(made))
            yield made


async def _live(made: Stage, ready: concurrent.futures.Future[None], done: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        made.held = stack
        wire = made.wires[GLOBAL] = FrameWire(made.fleet.global_db.address)
        await stack.enter_async_context(wire.up())
        settings = settings_for(made.fleet.global_db, made.grounds.key_file).model_copy(
            update={
                "global_nodes": (wire.address,),
                "s3": made.grounds.s3,
                "timing": Timing(principal_lease_seconds=5, access_token_seconds=3600),
                "limits": Limits(
                    requests_per_second_per_principal=100_000,
                    requests_per_second_per_client=100_000,
                ),
            }
        )
        made.service = await stack.enter_async_context(serving(made.fleet.global_db, settings))
        root = await init_admin(made.service.resources, "root@example.org", PASSWORD)
        bearer = (await made.service.log_in(User(root, "root@example.org")))["access_token"]
        made.admin = await stack.enter_async_context(made.service.caller(bearer))
        made.operator = await stack.enter_async_context(_opened(made, ADMIN))
        made.mover = await stack.enter_async_context(_opened(made, MOVER))
        made.worker = await stack.enter_async_context(_opened(made, WORKER))
        deaf = await stack.enter_async_context(_opened(made, APP, DEAF))
        made.deaf = replace(made.service.resources, data=deaf)
        ready.set_result(None)
        await done.wait()


@asynccontextmanager
async def _opened(made: Stage, role: str, bounds: Bounds | None = None) -> AsyncIterator[Data]:
    async with made.fleet.opened(role, bounds, made.wires[GLOBAL].address) as data:
        await _settled(data.registry.refresh)
        yield data


async def _settled(work: Callable[[], Awaitable[None]]) -> None:
    """Do it until it is done: a busy machine may be late with connections."""

    async def done() -> bool:
        try:
            await work()
        except ClusterError:
            return False
        return True

    await until(done, 60)


async def _all_known(made: Stage) -> None:
    """Wait until the service knows every shard."""

    async def known() -> bool:
        registry = made.service.resources.data.registry
        names = {shard.name for shard in registry.shards()}
        return names == set(made.shards) and all(
            registry.any_cluster(name).available for name in names
        )

    await until(known, 60)

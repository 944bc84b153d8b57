"""`docshard rebalance pause|resume|stop`, and Ctrl-C in `watch`: the moves go on without it."""

import asyncio
import json
import os
import pty
import signal
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Callable
from contextlib import suppress

import pytest

from deploy.cli.main import run
from deploy.errors import Exit
from services.fleet import rebalances
from services.fleet.planning import Goal, Wishes, make_plan
from services.fleet.rebalance_standing import standing
from services.fleet.rebalances import RunLimits
from tests.integration.databases import Fleet
from tests.integration.postgres import ADMIN

PATIENCE = 60


@pytest.fixture
def environment(fleet_dbs: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator's shell has."""
    database = fleet_dbs.global_db
    for name, value in {
        "GLOBAL_NODES": json.dumps([database.address.model_dump()]),
        "DATABASE": database.name,
        "ADMIN_DB_PASSWORD": database.server.password,
        "KEY_FILE": "/nowhere/unused",
        "S3_ENDPOINT": "http://127.0.0.1:9",
        "S3_BUCKET": "unused",
        "S3_ACCESS_KEY": "unused",
        "S3_SECRET_KEY": "unused",
    }.items():
        monkeypatch.setenv(f"DOCSHARD_{name}", value)


async def docshard(*arguments: str) -> int:
    return await asyncio.to_thread(run, ["rebalance", *arguments])


async def left_by_ctrl_c(opened: Callable[[], tuple[int, int]]) -> str:
    """What `watch` has told the pipe or the terminal in the end."""
    ours, theirs = opened()
    watching = await asyncio.create_subprocess_exec(
        # Whoever runs tests in the background has them ignore what Ctrl-C sends.
        *("env", "--default-signal=INT", "TERM=xterm"),
        *(sys.executable, "-P", "-m", "deploy.cli.main", "rebalance", "watch"),
        env=dict(os.environ),
        stdout=DEVNULL,
        stderr=theirs,
    )
    async with asyncio.timeout(PATIENCE):
        told = b""
        while b"running" not in told:
            told += await asyncio.to_thread(os.read, ours, 65_536)
        watching.send_signal(signal.SIGINT)
        assert await watching.wait() == Exit.OK
    # We hold their end open, so nothing is lost with the process, and nothing says that it is over.
    os.set_blocking(ours, False)
    with suppress(BlockingIOError):
        while True:
            told += os.read(ours, 65_536)
    os.close(ours)
    os.close(theirs)
    return told.decode()


@pytest.mark.usefixtures("environment")
async def test_a_watcher_leaves_and_the_rebalance_goes_on_until_it_is_stopped(
    fleet_dbs: Fleet,
) -> None:
    """No worker runs here: so the rebalance stays as it was left."""
    client = await fleet_dbs.tenant()
    async with fleet_dbs.opened(ADMIN) as data:
        plan = await make_plan(data, Goal.DRAIN, Wishes(draining={"shard-1"}))
        made = (await rebalances.start(data, plan, RunLimits(), None)).rebalance
        assert client in {one for batch in plan.batches for one in batch.clients}

        for opened in (os.pipe, pty.openpty):
            told = await left_by_ctrl_c(opened)
            behind = told[told.index("Detached; the moves go on") :]
            assert "docshard rebalance watch" in behind
            assert "Traceback" not in told
            assert "\x1b" not in behind, "something was drawn over it"

        for verb, status, state in (
            ("pause", Exit.OK, "paused"),
            ("pause", Exit.REFUSED, "paused"),
            ("resume", Exit.OK, "running"),
            ("resume", Exit.REFUSED, "running"),
            ("stop", Exit.OK, "stopped"),
            ("stop", Exit.NOT_FOUND, "stopped"),
        ):
            assert await docshard(verb, "--reason", "a test") == status
            assert (await standing(data, made.id)).rebalance.state == state
        assert {one.move.wish for one in (await standing(data)).overview.moves} == {"abort"}
    async with fleet_dbs.global_db.session() as session:
        await session.execute("TRUNCATE docshard.rebalances CASCADE")
        await session.execute("UPDATE docshard.clients SET shard = 'shard-2'")

"""A process that is killed at the first step that none before it had come to, again and again."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from tests.integration.desk import Workplace

Told = Callable[[str], None]
Work = Callable[[Told], Awaitable[None]]
"""Tells each step when it is done, and goes on where it finds itself."""


def environment(workplace: Workplace) -> dict[str, str]:
    """What such a process needs of its surroundings."""
    global_db, s3 = workplace.fleet.global_db, workplace.s3
    password = global_db.server.password
    return {
        "DOCSHARD_GLOBAL_NODES": f"[{global_db.address.model_dump_json()}]",
        "DOCSHARD_DATABASE": global_db.name,
        "DOCSHARD_WORKER_PASSWORD": password,
        "DOCSHARD_ADMIN_DB_PASSWORD": password,
        "DOCSHARD_MOVER_PASSWORD": password,
        "DOCSHARD_KEY_FILE": str(workplace.key_file),
        "DOCSHARD_S3_ENDPOINT": str(s3.endpoint),
        "DOCSHARD_S3_BUCKET": s3.bucket,
        "DOCSHARD_S3_ACCESS_KEY": s3.access_key,
        "DOCSHARD_S3_SECRET_KEY": s3.secret_key.get_secret_value(),
    }


def live_out(work: Work) -> None:
    """Let it live as often as it takes; prints the steps in their order."""
    found: list[str] = []
    while ended := _live(work, set(found)):
        found.append(ended)
    sys.stdout.write("\n".join(found))


def _live(work: Work, known: set[str]) -> str | None:
    """One life; the step at which it ended, None when all is done."""
    reading, writing = os.pipe()
    # Forked before anything runs: a process of its own, that need not import all anew.
    process = os.fork()
    if process == 0:
        asyncio.run(_run(work, known, writing))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as steps:
        step = steps.read().strip()
    _, status = os.waitpid(process, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if killed != bool(step) or not (killed or status == 0):
        raise SystemExit(f"a process ended by itself: {status}")
    return step or None


async def _run(work: Work, known: set[str], steps: int) -> None:
    def told(step: str) -> None:
        if step not in known:
            os.write(steps, step.encode() + b"\n")
            os.kill(os.getpid(), signal.SIGKILL)

    await work(told)

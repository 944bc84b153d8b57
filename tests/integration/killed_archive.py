"""Workers that archive, each killed at the first step that none before it had come to.

Run as a program; prints the steps in their order.
"""

import asyncio
import os
import signal
import sys

from services.fleet.sweeps import archive_months
from services.resources import open_resources
from services.settings import DatabaseRole, Settings
from tests.integration.desk import Workplace


def environment(workplace: Workplace) -> dict[str, str]:
    """What such a process needs of its surroundings."""
    global_db, s3 = workplace.fleet.global_db, workplace.s3
    return {
        "DOCSHARD_GLOBAL_NODES": f"[{global_db.address.model_dump_json()}]",
        "DOCSHARD_DATABASE": global_db.name,
        "DOCSHARD_WORKER_PASSWORD": global_db.server.password,
        "DOCSHARD_KEY_FILE": str(workplace.key_file),
        "DOCSHARD_S3_ENDPOINT": str(s3.endpoint),
        "DOCSHARD_S3_BUCKET": s3.bucket,
        "DOCSHARD_S3_ACCESS_KEY": s3.access_key,
        "DOCSHARD_S3_SECRET_KEY": s3.secret_key.get_secret_value(),
    }


async def _archive(known: set[str], steps: int) -> None:
    def told(step: str) -> None:
        if step not in known:
            os.write(steps, step.encode() + b"\n")
            os.kill(os.getpid(), signal.SIGKILL)

    async with open_resources(Settings(), DatabaseRole.WORKER) as resources:
        await archive_months(resources, told=told)


def _live(known: set[str]) -> str | None:
    """One worker's life; the step at which it ended, None when all is done."""
    reading, writing = os.pipe()
    # Forked before anything runs: a worker of its own, that need not import all anew.
    worker = os.fork()
    if worker == 0:
        asyncio.run(_archive(known, writing))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as steps:
        step = steps.read().strip()
    _, status = os.waitpid(worker, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if killed != bool(step) or not (killed or status == 0):
        raise SystemExit(f"a worker ended by itself: {status}")
    return step or None


if __name__ == "__main__":
    found: list[str] = []
    while ended := _live(set(found)):
        found.append(ended)
    sys.stdout.write("\n".join(found))

"""The router as its own process on a port, as operators run it: for what only sockets show."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from deploy.local import ports, processes
from services.s3_settings import S3Settings
from tests.faults.resources.lab import Tenant, keyed_tenant
from tests.integration.databases import Fleet
from tests.integration.process import resources_of
from tests.integration.waiting import until


@dataclass
class RouterProcess:
    """A running router with one worker, and a tenant on each shard."""

    command: processes.Command
    port: int
    struck: Tenant
    spared: Tenant
    process: psutil.Process = field(init=False)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def memory(self) -> int:
        """Bytes that it takes."""
        return int(self.process.memory_info().rss)

    def start(self) -> None:
        """Start it; it may not serve yet."""
        self.process = processes.spawn(self.command, {})

    def end(self) -> None:
        """End it at once, as a crash does."""
        processes.send([self.process], signal.SIGKILL)
        processes.await_end([self.process], 10)

    async def until_ready(self) -> None:
        """Wait until it serves."""

        async def ready() -> bool:
            if processes.alive(self.process.pid) is None:
                raise AssertionError(self.command.log.read_text()[-2000:])
            try:
                answer = await self.spared.http.get("/readyz")
            except httpx.TransportError:
                return False
            return set(answer.json()["shards"].values()) == {"ready"}

        await until(ready, 60)


def environment_of(fleet: Fleet, key_file: Path, s3: S3Settings, port: int) -> dict[str, str]:
    """The variables of a router of this fleet."""
    node = fleet.global_db.address.model_dump(mode="json")
    return {
        "DOCSHARD_GLOBAL_NODES": json.dumps([node]),
        "DOCSHARD_DATABASE": fleet.global_db.name,
        "DOCSHARD_APP_PASSWORD": fleet.global_db.server.password,
        "DOCSHARD_KEY_FILE": str(key_file),
        "DOCSHARD_S3_ENDPOINT": str(s3.endpoint),
        "DOCSHARD_S3_BUCKET": s3.bucket,
        "DOCSHARD_S3_ACCESS_KEY": s3.access_key,
        "DOCSHARD_S3_SECRET_KEY": s3.secret_key.get_secret_value(),
        "DOCSHARD_LISTEN_PORT": str(port),
        "DOCSHARD_ROUTER_WORKERS": "1",
        "DOCSHARD_REQUESTS_PER_SECOND_PER_PRINCIPAL": "100000",
        "DOCSHARD_REQUESTS_PER_SECOND_PER_CLIENT": "100000",
    }


@asynccontextmanager
async def router_process(
    fleet: Fleet,
    folder: Path,
    s3: S3Settings,
    more: Mapping[str, str],
    limited_by: Sequence[str] = (),
) -> AsyncIterator[RouterProcess]:
    """A router until the block ends; `more` is added to its environment, and the words of
    `limited_by` before its command."""
    async with AsyncExitStack() as stack:
        async with resources_of(fleet.global_db, folder):
            pass  # makes the keys
        port = ports.free()
        inherited = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        command = processes.Command(
            arguments=[*limited_by, sys.executable, "-P", "-m", "router"],
            folder=folder,
            log=folder / f"router-{port}.log",
            environment=inherited | environment_of(fleet, folder / "key", s3, port) | dict(more),
        )
        tenants = []
        for shard in ("shard-1", "shard-2"):
            client_id, key = await keyed_tenant(fleet, shard)
            http = httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {key}"},
                timeout=60,
                trust_env=False,
            )
            tenants.append(Tenant(client_id, await stack.enter_async_context(http)))
        made = RouterProcess(command, port, *tenants)
        made.start()
        try:
            await made.until_ready()
            yield made
        finally:
            made.end()
